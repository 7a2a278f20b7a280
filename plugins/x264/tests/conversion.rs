//! The plugin tells how long it converts colours: once per frame in which it does.

use std::time::Instant;

use selkies_plugin_sdk::{
    abi,
    test_host::{Metric, TestEncoder, TestHost, TestPicture},
};
use selkies_x264::{FULL_NAME, STRIPED_NAME, X264};

const SIZE: (u32, u32) = (640, 480);

fn picture(level: u8) -> TestPicture {
    let pixels = vec![level; (SIZE.0 * SIZE.1 * 4) as usize].into();
    TestPicture { pixels, ..TestPicture::bgrx(SIZE.0, SIZE.1) }
}

#[test]
fn the_conversion_is_told_once_per_frame() {
    for name in [FULL_NAME, STRIPED_NAME] {
        let host = TestHost::new();
        let params =
            abi::EncoderParams { quality: 25, ..TestEncoder::params(abi::CODEC_H264, SIZE.0, SIZE.1) };
        let mut encoder = TestEncoder::of::<X264>(&host, "{}", name, &params).expect("an encoder");
        let mut told = |picture: &TestPicture| {
            let (before, began) = (host.metrics().len(), Instant::now());
            encoder.submit(picture).expect("a frame");
            let took = began.elapsed().as_secs_f64();
            let seconds: Vec<f64> = host.metrics()[before..]
                .iter()
                .map(|metric| match metric {
                    Metric::Observation(name, seconds) if name == "convert_seconds" => *seconds,
                    other => panic!("{other:?}"),
                })
                .collect();
            assert!(seconds.iter().all(|&seconds| seconds > 0.0 && seconds < took), "{seconds:?} of {took}");
            seconds.len()
        };
        assert_eq!(told(&picture(10)), 1, "{name}: the first frame");
        assert_eq!(told(&picture(200)), 1, "{name}: all of it changed");
        assert_eq!(
            told(&TestPicture { damage: Some(Vec::new()), ..picture(200) }),
            0,
            "{name}: nothing changed"
        );
    }
}
