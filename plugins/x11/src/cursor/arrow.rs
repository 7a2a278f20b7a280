//! The arrow that stands for a shape which cannot be read.

use selkies_plugin_sdk::CursorImage;

/// Black border, white inside; the tip is the first pixel.
const ROWS: [&[u8; 11]; 17] = [
    b"#          ",
    b"##         ",
    b"#.#        ",
    b"#..#       ",
    b"#...#      ",
    b"#....#     ",
    b"#.....#    ",
    b"#......#   ",
    b"#.......#  ",
    b"#........# ",
    b"#.....#####",
    b"#..#..#    ",
    b"#.# #..#   ",
    b"##  #..#   ",
    b"#    #..#  ",
    b"     #..#  ",
    b"      ##   ",
];

/// The image, under a serial that no server gives: theirs have 32 bits.
pub(super) fn image() -> CursorImage {
    let pixel = |mark: &u8| match mark {
        b'#' => [0, 0, 0, 255],
        b'.' => [255; 4],
        _ => [0; 4],
    };
    CursorImage {
        visible: true,
        width: ROWS[0].len() as u32,
        height: ROWS.len() as u32,
        hot_x: 0,
        hot_y: 0,
        serial: u64::MAX,
        rgba: ROWS.iter().flat_map(|row| row.iter()).flat_map(pixel).collect(),
    }
}
