//! Where the kernel makes no devices, it is said why; where it does, a device appears and goes.

use std::path::Path;

use selkies_plugin_sdk::{
    GamepadAxis, GamepadChange, GamepadEvent, GamepadIdentity, abi,
    test_host::{TestGamepad, TestHost, compare_manifest},
};
use selkies_uinput::{Config, KernelPads};

const NAME: &str = "selkies-host test pad";

fn is_listed() -> bool {
    std::fs::read_to_string("/proc/bus/input/devices").is_ok_and(|devices| devices.contains(NAME))
}

#[test]
fn a_device_comes_and_goes_or_the_reason_is_named() {
    let host = TestHost::new();
    let pads = TestGamepad::of::<KernelPads>(&host, "{}");
    let may = std::fs::OpenOptions::new().read(true).write(true).open("/dev/uinput").is_ok();
    if !may {
        let failure = pads.expect_err("nobody may");
        assert_eq!(failure.class(), abi::CLASS_DEVICE_LOST, "{}", failure.text);
        assert!(failure.text.contains("/dev/uinput"), "{}", failure.text);
        assert_eq!(
            failure.text.contains("is not there"),
            !Path::new("/dev/uinput").exists(),
            "{}",
            failure.text
        );
        return;
    }
    let mut pads = pads.expect("this user may");
    let axis = GamepadAxis { code: 0, minimum: -9, maximum: 9, rest: 0, fuzz: 0, flat: 0, resolution: 0 };
    let identity = GamepadIdentity {
        name: NAME.into(),
        bus: 3,
        vendor: 1,
        product: 2,
        version: 3,
        buttons: vec![0x130],
        axes: vec![axis],
        rumbles: true,
    };
    pads.plug(0, &identity).expect("a device");
    assert!(is_listed());
    let press = GamepadChange::Button { index: 0, pressed: true };
    pads.inject(&[GamepadEvent { slot: 0, change: press }]).expect("an event");
    pads.unplug(0).expect("its end");
    assert!(!is_listed());
}

#[test]
fn the_manifest_has_the_version_and_the_configuration_schema_of_the_code() {
    assert_eq!(compare_manifest::<Config>(env!("CARGO_MANIFEST_DIR"), env!("CARGO_PKG_VERSION")), Ok(()));
}
