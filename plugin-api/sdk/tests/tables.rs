//! Cursor, display, input, gamepads and RTC configuration, each driven once through its C table.

use std::{sync::Arc, time::Duration};

use selkies_plugin_sdk::{
    Button, Cursor, CursorImage, Display, Error, Gamepad, GamepadAxis, GamepadChange, GamepadEvent,
    GamepadIdentity, GamepadRumble, Host, Input, InputEvent, InputKinds, Output, OutputRequest, Result,
    RtcConfig, RtcRequest, Wake, abi,
    test_host::{Failure, Metric, TestCursor, TestDisplay, TestGamepad, TestHost, TestInput, TestRtcConfig},
};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    edge: u32,
    missing: usize,
    answer: usize,
}

#[derive(Debug)]
struct Silent;

impl Wake for Silent {
    fn wake(&self) {}
}

#[derive(Debug)]
struct Arrow {
    config: Config,
    serial: u64,
}

impl Cursor for Arrow {
    type Config = Config;

    fn create(_: Host, config: Config) -> Result<Self> {
        Ok(Self { config, serial: 0 })
    }

    fn waker(&self) -> Arc<dyn Wake> {
        Arc::new(Silent)
    }

    fn wait(&mut self, _: Option<Duration>) -> Result<Option<CursorImage>> {
        self.serial += 1;
        let edge = self.config.edge;
        let bytes = edge as usize * edge as usize * 4 - self.config.missing;
        Ok((self.serial == 1).then(|| CursorImage {
            visible: true,
            width: edge,
            height: edge,
            hot_x: 1,
            hot_y: 2,
            serial: 7,
            rgba: vec![9; bytes],
        }))
    }
}

#[test]
fn a_cursor_image_arrives_once() -> Result<(), Failure> {
    let host = TestHost::new();
    let mut cursor = TestCursor::of::<Arrow>(&host, r#"{"edge": 4}"#)?;
    let image = cursor.wait(None)?.expect("the first call answers at once");
    assert_eq!((image.width, image.hot_x, image.hot_y, image.serial), (4, 1, 2, 7));
    assert_eq!(image.rgba, vec![9; 64]);
    assert_eq!(cursor.wait(Some(Duration::ZERO))?, None);
    cursor.waker().wake();
    let large = TestCursor::of::<Arrow>(&host, r#"{"edge": 513}"#)?.wait(None);
    assert!(large.expect_err("over the limit").text.contains("513x513"));
    let short = TestCursor::of::<Arrow>(&host, r#"{"edge": 4, "missing": 1}"#)?.wait(None);
    assert_eq!(short.expect_err("too few bytes").class(), abi::CLASS_FATAL_INSTANCE);
    Ok(())
}

#[derive(Debug)]
struct Screen(Output);

impl Display for Screen {
    type Config = Config;

    fn create(_: Host, _: Config) -> Result<Self> {
        Ok(Self(Output {
            name: "screen".into(),
            enabled: true,
            primary: true,
            x: -5,
            y: 0,
            width: 800,
            height: 600,
            refresh_mhz: 60_000,
            dpi: 96,
            max_width: 4096,
            max_height: 2160,
        }))
    }

    fn outputs(&mut self) -> Result<Vec<Output>> {
        Ok(vec![self.0.clone(), Output { name: "second".into(), primary: false, ..self.0.clone() }])
    }

    fn apply(&mut self, requests: &[OutputRequest]) -> Result<()> {
        for request in requests {
            if request.width > self.0.max_width {
                return Err(Error::invalid(format!("{} is over 4096", request.width)));
            }
            (self.0.width, self.0.height, self.0.enabled) = (request.width, request.height, request.enabled);
        }
        Ok(())
    }
}

#[test]
fn a_display_is_listed_and_resized() -> Result<(), Failure> {
    let host = TestHost::new();
    let mut display = TestDisplay::of::<Screen>(&host, "{}")?;
    let outputs = display.outputs()?;
    assert_eq!((outputs.len(), outputs[0].x, outputs[1].name.as_str()), (2, -5, "second"));
    assert!(outputs[0].primary && !outputs[1].primary);
    let request = OutputRequest {
        name: String::new(),
        enabled: true,
        primary: true,
        x: 0,
        y: 0,
        width: 1920,
        height: 1080,
        refresh_mhz: 0,
        dpi: 0,
    };
    display.apply(std::slice::from_ref(&request))?;
    assert_eq!((display.outputs()?[0].width, display.outputs()?[0].enabled), (1920, true));
    let wide = display.apply(&[OutputRequest { width: 5000, ..request.clone() }]).expect_err("too wide");
    assert_eq!((wide.class(), wide.text.as_str()), (abi::CLASS_RETRY, "5000 is over 4096"));
    assert!(display.apply(&vec![request; 33]).is_err(), "over 32 requests");
    Ok(())
}

#[derive(Debug)]
struct Recorder(Host);

impl Input for Recorder {
    type Config = Config;

    fn create(host: Host, _: Config) -> Result<Self> {
        Ok(Self(host))
    }

    fn kinds(&self) -> InputKinds {
        InputKinds::of(&[abi::INPUT_KEYSYM, abi::INPUT_TEXT])
    }

    fn inject(&mut self, events: &[InputEvent<'_>]) -> Result<()> {
        for event in events {
            tracing::trace!(?event, "injected");
            self.0.gauge(&format!("event_{}", format!("{event:?}").len()), 1.0);
        }
        self.0.count("events", events.len() as u64);
        Ok(())
    }
}

#[test]
fn every_input_event_arrives_as_sent() -> Result<(), Failure> {
    let host = TestHost::new();
    let mut input = TestInput::of::<Recorder>(&host, "{}")?;
    assert_eq!(input.kinds(), 1 << abi::INPUT_KEYSYM | 1 << abi::INPUT_TEXT);
    let events = [
        InputEvent::Keysym { keysym: 0xff0d, pressed: true },
        InputEvent::Keycode { code: 28, pressed: false },
        InputEvent::PointerAbsolute { x: 3, y: -4 },
        InputEvent::PointerRelative { dx: -1, dy: 1 },
        InputEvent::Button { button: Button::Forward, pressed: true },
        InputEvent::Scroll { dx: 0, dy: 120 },
        InputEvent::Text("grüß"),
        InputEvent::ReleaseAll,
        InputEvent::Touch { point: 2, x: 5, y: 6, phase: 1 },
    ];
    input.inject(&events)?;
    let mut wanted: Vec<Metric> = events
        .iter()
        .map(|event| Metric::Gauge(format!("event_{}", format!("{event:?}").len()), 1.0))
        .collect();
    wanted.push(Metric::Counter("events".into(), 9));
    assert_eq!(host.metrics(), wanted);
    let long = "x".repeat(abi::MAX_INPUT_TEXT + 1);
    assert!(input.inject(&[InputEvent::Text(&long)]).is_err(), "a text over its limit");
    assert!(input.inject(&vec![InputEvent::ReleaseAll; 4097]).is_err(), "over 4096 events");
    assert_eq!(host.metrics().len(), wanted.len(), "neither reached the device");
    Ok(())
}

#[derive(Debug)]
struct Servers(Config);

impl RtcConfig for Servers {
    type Config = Config;

    fn create(_: Host, config: Config) -> Result<Self> {
        Ok(Self(config))
    }

    fn waker(&self) -> Arc<dyn Wake> {
        Arc::new(Silent)
    }

    fn fetch(&mut self, request: &RtcRequest) -> Result<String> {
        Ok(match self.0.answer {
            0 => format!("{{\"user\":\"{}\",\"tls\":{}}}", request.user, request.tls),
            length => "x".repeat(length),
        })
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<bool> {
        Ok(timeout.is_none())
    }
}

#[test]
fn a_configuration_is_fetched_and_its_change_awaited() -> Result<(), Failure> {
    let host = TestHost::new();
    let request = RtcRequest { tls: true, user: "ada".into(), protocol: "udp".into(), deadline_ns: 1 };
    let mut source = TestRtcConfig::of::<Servers>(&host, "{}")?;
    assert_eq!(source.fetch(&request)?, r#"{"user":"ada","tls":true}"#);
    assert!(source.wait(None)?);
    assert!(!source.wait(Some(Duration::ZERO))?);
    source.waker().wake();
    let mut long = TestRtcConfig::of::<Servers>(&host, r#"{"answer": 65537}"#)?;
    assert_eq!(long.fetch(&request).expect_err("over 64 KiB").class(), abi::CLASS_RETRY);
    Ok(())
}

/// Answers a rumble that says what it was told.
#[derive(Debug, Default)]
struct Pads {
    plugged: Vec<(u8, GamepadIdentity)>,
    events: Vec<GamepadEvent>,
}

impl Gamepad for Pads {
    type Config = Config;

    fn create(_: Host, _: Config) -> Result<Self> {
        Ok(Self::default())
    }

    fn waker(&self) -> Arc<dyn Wake> {
        Arc::new(Silent)
    }

    fn plug(&mut self, slot: u8, identity: GamepadIdentity) -> Result<()> {
        self.plugged.push((slot, identity));
        Ok(())
    }

    fn unplug(&mut self, slot: u8) -> Result<()> {
        self.plugged.retain(|(plugged, _)| *plugged != slot);
        Ok(())
    }

    fn inject(&mut self, events: &[GamepadEvent]) -> Result<()> {
        self.events.extend(events);
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<GamepadRumble>> {
        let Some((slot, identity)) = self.plugged.first() else { return Ok(None) };
        let axis = identity.axes[0];
        assert_eq!((axis.minimum, axis.rest, axis.code), (-5, 1, 3));
        Ok(timeout.is_none().then_some(GamepadRumble {
            slot: *slot,
            strong: identity.buttons[1],
            weak: identity.product,
            duration_ms: u32::try_from(self.events.len()).unwrap_or(0),
        }))
    }
}

#[test]
fn a_gamepad_is_plugged_moved_and_rumbles() -> Result<(), Failure> {
    let host = TestHost::new();
    let mut pads = TestGamepad::of::<Pads>(&host, "{}")?;
    let axis = GamepadAxis { code: 3, minimum: -5, maximum: 9, rest: 1, fuzz: 0, flat: 0, resolution: 0 };
    let identity = GamepadIdentity {
        name: "pad".into(),
        bus: 3,
        vendor: 1,
        product: 65535,
        version: 2,
        buttons: vec![304, 305],
        axes: vec![axis],
        rumbles: true,
    };
    assert_eq!(pads.wait(None)?, None);
    pads.plug(3, &identity)?;
    let event = |change| GamepadEvent { slot: 3, change };
    pads.inject(&[
        event(GamepadChange::Button { index: 1, pressed: true }),
        event(GamepadChange::Axis { index: 0, value: -70_000 }),
        event(GamepadChange::Rest),
    ])?;
    let rumble = GamepadRumble { slot: 3, strong: 305, weak: 65535, duration_ms: 3 };
    assert_eq!(pads.wait(None)?, Some(rumble));
    assert_eq!(pads.wait(Some(Duration::ZERO))?, None);
    pads.waker().wake();
    for wrong in [
        GamepadIdentity { name: "a\0b".into(), ..identity.clone() },
        GamepadIdentity { name: "x".repeat(255), ..identity.clone() },
        GamepadIdentity { buttons: vec![1; 513], ..identity.clone() },
        GamepadIdentity { axes: vec![axis; 65], ..identity.clone() },
        GamepadIdentity { axes: vec![GamepadAxis { rest: 10, ..axis }], ..identity.clone() },
    ] {
        let error = pads.plug(0, &wrong).expect_err("it is no gamepad");
        assert_eq!(error.class(), abi::CLASS_RETRY, "{error:?}");
    }
    assert!(pads.plug(4, &identity).is_err() && pads.unplug(4).is_err(), "there are four slots");
    assert!(pads.inject(&[GamepadEvent { slot: 4, change: GamepadChange::Rest }]).is_err());
    pads.unplug(3)?;
    assert_eq!(pads.wait(None)?, None);
    Ok(())
}
