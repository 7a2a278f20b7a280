//! Timings for a mode of any size.

use x11rb::protocol::randr::{ModeFlag, ModeInfo};

/// Names of modes that this plugin made begin with it, so that it can remove those it no longer uses.
pub(crate) const PREFIX: &[u8] = b"selkies-";

/// The name of the mode made for a size and a rate in millihertz.
pub(crate) fn name(width: u16, height: u16, refresh_mhz: u32) -> String {
    format!("selkies-{width}x{height}_{}.{:03}", refresh_mhz / 1000, refresh_mhz % 1000)
}

/// Timings by VESA CVT 1.2 with reduced blanking: 160 pixels of horizontal blanking and at least 460 microseconds of
/// vertical. Virtual screens ignore them; drivers of real or dummy hardware check that they are sane. The width is not
/// rounded to cells of eight pixels as CVT asks, since drivers have long stopped to need that.
pub(crate) fn timings(width: u16, height: u16, refresh_mhz: u32) -> ModeInfo {
    const BLANK: u16 = 160;
    const MIN_BLANK_US: f64 = 460.0;
    const FRONT: u16 = 3;
    const SYNC: u16 = 10;
    const MIN_BACK: u16 = 6;
    let rate = f64::from(refresh_mhz.max(1)) / 1000.0;
    let line_us = ((1_000_000.0 / rate - MIN_BLANK_US) / f64::from(height.max(1))).max(0.1);
    let blank_lines = ((MIN_BLANK_US / line_us) as u16).saturating_add(1).max(FRONT + SYNC + MIN_BACK);
    let htotal = width.saturating_add(BLANK);
    let vtotal = height.saturating_add(blank_lines);
    let clock = f64::from(htotal) * f64::from(vtotal) * rate;
    ModeInfo {
        id: 0,
        width,
        height,
        // CVT's clock step is 0.25 MHz.
        dot_clock: ((clock / 250_000.0) as u32).max(1).saturating_mul(250_000),
        hsync_start: width.saturating_add(48),
        hsync_end: width.saturating_add(80),
        htotal,
        hskew: 0,
        vsync_start: height.saturating_add(FRONT),
        vsync_end: height.saturating_add(FRONT + SYNC),
        vtotal,
        name_len: 0,
        mode_flags: ModeFlag::HSYNC_POSITIVE | ModeFlag::VSYNC_NEGATIVE,
    }
}

/// A mode's refresh rate in millihertz, 0 when it has no timings.
pub(crate) fn refresh_mhz(mode: &ModeInfo) -> u32 {
    let pixels = u64::from(mode.htotal) * u64::from(mode.vtotal);
    match pixels {
        0 => 0,
        pixels => ((u64::from(mode.dot_clock) * 1000 + pixels / 2) / pixels).try_into().unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timings_are_those_of_cvt_with_reduced_blanking() {
        // `cvt -r 1920 1080 60`: Modeline "1920x1080R" 138.50 1920 1968 2000 2080 1080 1083 1088 1111 +hsync -vsync
        let mode = timings(1920, 1080, 60_000);
        assert_eq!(
            (mode.dot_clock, mode.hsync_start, mode.hsync_end, mode.htotal),
            (138_500_000, 1968, 2000, 2080)
        );
        assert_eq!((mode.vsync_start, mode.vtotal), (1083, 1111));
        assert!((59_800..=60_000).contains(&refresh_mhz(&mode)), "{}", refresh_mhz(&mode));
    }

    #[test]
    fn extreme_requests_do_not_wrap() {
        for (width, height, rate) in [(1, 1, 1), (u16::MAX, u16::MAX, u32::MAX), (8192, 4096, 240_000)] {
            let mode = timings(width, height, rate);
            assert!(mode.vtotal >= height && mode.htotal >= width && mode.dot_clock > 0);
        }
    }
}
