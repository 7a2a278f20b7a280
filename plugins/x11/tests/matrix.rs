//! What three toolkits read when every printing key of six layouts is pressed, with every modifier, as pages send them:
//! on a server that has the page's layout, and on one that lacks many of its characters.
//!
//! The toolkits find characters in three ways: Xlib with its input method, GTK 3 with its own reading of XKB, Qt 5 with
//! libxkbcommon. The programs are in `witness/`.

mod common;
mod witness;

use common::Server;
use selkies_plugin_sdk::InputEvent;
use selkies_x11::input::Injector;
use witness::{Seen, Witness};
use xkeysym::{Keysym, key};

const LAYOUTS: [&str; 6] = ["us", "de", "fr", "ru", "jp", "cn"];
/// `Mod5`, which is AltGr in each of them.
const ALTGR: u8 = 0x80;
const SHIFT: u8 = 0x01;

/// The rows of a keyboard, as X keycodes of evdev names, and the keypad's keys as pages name them.
const ROWS: [&[u8]; 5] = [
    &[49, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 132],
    &[24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35],
    &[38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 51],
    &[94, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 97],
    &[65],
];
const KEYPAD: [(u32, char); 16] = [
    (key::KP_0, '0'),
    (key::KP_1, '1'),
    (key::KP_2, '2'),
    (key::KP_3, '3'),
    (key::KP_4, '4'),
    (key::KP_5, '5'),
    (key::KP_6, '6'),
    (key::KP_7, '7'),
    (key::KP_8, '8'),
    (key::KP_9, '9'),
    (key::KP_Decimal, '.'),
    (key::KP_Separator, ','),
    (key::KP_Add, '+'),
    (key::KP_Subtract, '-'),
    (key::KP_Multiply, '*'),
    (key::KP_Divide, '/'),
];

/// A row's characters in a state, those that are characters.
type Row = Vec<char>;

/// What a keyboard with a layout prints: rows without modifiers, with Shift, AltGr, and both.
struct Board {
    layout: &'static str,
    rows: [Vec<Row>; 4],
}

impl Board {
    /// Reads it from a server that has the layout.
    fn read(server: &Server, layout: &'static str) -> Self {
        use x11rb::protocol::xkb::{ConnectionExt as _, ID, MapPart, VMod};
        server.run("setxkbmap", &["-layout", layout]);
        let x = server.connect();
        x.xkb_use_extension(1, 0).unwrap().reply().unwrap();
        let parts = MapPart::KEY_TYPES | MapPart::KEY_SYMS;
        let (none, no_mods) = (MapPart::from(0u16), VMod::from(0u16));
        let device = ID::USE_CORE_KBD.into();
        let reply = x.xkb_get_map(device, parts, none, 0, 0, 0, 0, 0, 0, 0, 0, no_mods, 0, 0, 0, 0, 0, 0);
        let reply = reply.unwrap().reply().unwrap();
        let (types, keys) = (reply.map.types_rtrn.unwrap(), reply.map.syms_rtrn.unwrap());
        let printed = |keycode: u8, mods: u8| {
            let found = keys.get(usize::from(keycode - reply.first_key_sym))?;
            let kind = types.get(usize::from(found.kt_index[0]))?;
            let mask = u16::from(kind.mods_mask) as u8;
            let mut levels =
                kind.map.iter().filter(|entry| entry.active).map(|e| (u16::from(e.mods_mask) as u8, e.level));
            let level = levels.find(|(wanted, _)| *wanted == mods & mask).map_or(0, |(_, level)| level);
            // A modifier that the key does not know makes nothing new of it.
            if mods & !mask != 0 {
                return None;
            }
            let symbol = *found.syms.get(usize::from(level))?;
            Keysym::new(symbol).key_char().filter(|character| !character.is_control())
        };
        let rows = [0, SHIFT, ALTGR, SHIFT | ALTGR].map(|mods| {
            ROWS.iter()
                .map(|row| row.iter().filter_map(|keycode| printed(*keycode, mods)).collect())
                .collect()
        });
        Self { layout, rows }
    }

    fn count(&self) -> usize {
        self.rows.iter().flatten().map(Vec::len).sum()
    }
}

/// The keysym that a page sends for a character.
fn keysym(character: char) -> u32 {
    match u32::from(character) {
        point @ (0x20..=0x7e | 0xa0..=0xff) => point,
        point => 0x0100_0000 + point,
    }
}

/// One toolkit in front of the plugin.
struct Matrix {
    injector: Injector,
    witness: Witness,
    server: Server,
    /// What was read wrongly.
    wrong: Vec<String>,
    pressed: usize,
}

impl Matrix {
    fn new(start: fn(&Server) -> Witness) -> Self {
        let server = Server::start("640x480x24");
        let witness = start(&server);
        let injector = Injector::open(server.name()).unwrap();
        let mut matrix = Self { injector, witness, server, wrong: Vec::new(), pressed: 0 };
        // Xlib asks for news of its map only after its first key, and reads them before its second.
        for digit in ['0', '1'] {
            matrix.row("first keys", &[], &[(keysym(digit), digit)], Some(&digit.to_string()));
        }
        assert_eq!(matrix.wrong, [""; 0]);
        matrix
    }

    fn key(&mut self, keysym: u32, pressed: bool) {
        self.injector.inject(&[InputEvent::Keysym { keysym, pressed }]).unwrap();
    }

    /// Presses keys one after the other while modifiers are down, and compares what is read: each key's character, the
    /// modifiers that programs go by, and the text, if there is to be one.
    fn row(&mut self, what: &str, modifiers: &[u32], keys: &[(u32, char)], text: Option<&str>) {
        modifiers.iter().for_each(|modifier| self.key(*modifier, true));
        for (keysym, _) in keys {
            self.key(*keysym, true);
            self.key(*keysym, false);
        }
        modifiers.iter().rev().for_each(|modifier| self.key(*modifier, false));
        self.pressed += keys.len();
        let wanted = Seen {
            keys: keys.iter().map(|(_, character)| *character).collect(),
            text: text.unwrap_or_default().to_owned(),
            control: modifiers.contains(&key::Control_L),
            alt: modifiers.contains(&key::Alt_L),
        };
        self.expect(what, &wanted, text.is_some());
    }

    fn expect(&mut self, what: &str, wanted: &Seen, texts: bool) {
        if let Err(seen) = self.witness.reads(wanted, texts) {
            self.wrong.push(format!("{what}:\n  {wanted:?}, but\n  {seen:?}"));
        }
    }

    /// Presses everything that a board prints.
    fn board(&mut self, board: &Board, on: &str) {
        self.server.run("setxkbmap", &["-layout", on]);
        let (altgr, shift) = (key::ISO_Level3_Shift, key::Shift_L);
        let held: [&[u32]; 4] = [&[], &[shift], &[altgr], &[altgr, shift]];
        for (rows, held) in board.rows.iter().zip(held) {
            for row in rows.iter().filter(|row| !row.is_empty()) {
                let what = format!("{} on {on}, with {held:x?}", board.layout);
                let keys: Vec<_> = row.iter().map(|character| (keysym(*character), *character)).collect();
                self.row(&what, held, &keys, Some(&row.iter().collect::<String>()));
            }
        }
        let text: String = KEYPAD.iter().map(|(_, character)| *character).collect();
        self.row(&format!("the keypad on {on}"), &[], &KEYPAD, Some(&text));
        // Shortcuts: the modifiers stay as they are, whatever else the character needs.
        let (plain, shifted) = (&board.rows[0], &board.rows[1]);
        let with = [
            (plain, vec![key::Control_L]),
            (plain, vec![key::Alt_L]),
            (plain, vec![key::Super_L]),
            (shifted, vec![key::Control_L, key::Shift_L]),
        ];
        for (rows, held) in with {
            for row in rows.iter().filter(|row| !row.is_empty()) {
                let what = format!("{} on {on}, with {held:x?}", board.layout);
                let keys: Vec<_> = row.iter().map(|character| (keysym(*character), *character)).collect();
                self.row(&what, &held, &keys, None);
            }
        }
    }

    /// An accent and a letter are one character, where the toolkit composes.
    fn accents(&mut self, on: &str) {
        self.server.run("setxkbmap", &["-layout", on]);
        let accents = [
            (key::dead_acute, 'e', "é"),
            (key::dead_circumflex, 'o', "ô"),
            (key::dead_diaeresis, 'u', "ü"),
            (key::dead_grave, 'a', "à"),
            (key::dead_tilde, 'n', "ñ"),
        ];
        for (accent, letter, composed) in accents {
            for key in [accent, keysym(letter)] {
                self.key(key, true);
                self.key(key, false);
            }
            // A toolkit may keep the letter's key to itself when it composes.
            let wanted = Seen { text: composed.to_owned(), ..Seen::default() };
            self.expect(&format!("composed on {on}"), &wanted, true);
        }
    }

    fn finish(mut self, toolkit: &str) {
        // Whatever came too much would be read here.
        self.row("the last keys", &[], &[(keysym('0'), '0'), (keysym('1'), '1')], Some("01"));
        assert!(
            self.wrong.is_empty(),
            "{toolkit}, {} keys; {} rows were read wrongly:\n{}",
            self.pressed,
            self.wrong.len(),
            self.wrong.join("\n")
        );
        assert!(self.pressed > 3000, "only {} keys were pressed", self.pressed);
        assert!(!common::anything_down(&self.server), "a key is stuck");
    }
}

fn whole(toolkit: &str, start: fn(&Server) -> Witness) {
    let reference = Server::start("64x64x24");
    let mut matrix = Matrix::new(start);
    for layout in LAYOUTS {
        let board = Board::read(&reference, layout);
        assert!(board.count() > 90, "{layout} has {} characters", board.count());
        matrix.board(&board, layout);
        // A server that knows nothing of the page's layout.
        matrix.board(&board, if layout == "us" { "de" } else { "us" });
    }
    for layout in ["de", "us"] {
        matrix.accents(layout);
    }
    matrix.finish(toolkit);
}

#[test]
fn xlib_reads_what_was_pressed() {
    whole("Xlib", Witness::xlib);
}

#[test]
fn gtk_reads_what_was_pressed() {
    whole("GTK", Witness::gtk);
}

#[test]
fn qt_reads_what_was_pressed() {
    whole("Qt", Witness::qt);
}
