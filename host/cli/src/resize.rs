//! `resize WxH`: the display of the running host gets another size.

use clap::{Arg, ArgMatches, Command};

use crate::{
    commands::{self, Outcome},
    control::Request,
};

/// The command's line.
pub(crate) fn command() -> Command {
    Command::new("resize")
        .about("Give the display of the running host another size; prints the size that it has then")
        .arg(
            Arg::new("size")
                .value_name("WIDTHxHEIGHT")
                .required(true)
                .value_parser(size)
                .help("Pixels; odd sides are rounded down"),
        )
}

/// Asks the host that runs.
///
/// # Errors
/// No host, or why it refuses.
pub(crate) fn run(matches: &ArgMatches) -> Outcome {
    let (width, height) = matches.get_one::<(u32, u32)>("size").copied().unwrap_or_default();
    commands::order(matches, &Request::Resize { width, height })
}

/// `1280x720`; limits are the host's to judge.
fn size(text: &str) -> Result<(u32, u32), String> {
    let side = |text: &str| text.parse::<u32>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let sides = text.split_once(['x', 'X']).and_then(|(width, height)| side(width).zip(side(height)));
    sides.ok_or_else(|| "two numbers of pixels are expected, such as 1280x720".to_owned())
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn a_size_is_two_numbers() {
        assert_eq!(size("1281x721"), Ok((1281, 721)));
        assert_eq!(size("800X600"), Ok((800, 600)));
        for text in ["", "800", "x", "800x", "800x600x2", "+800x600", "-1x5", "800 x600", "1e3x600"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
