//! Drives what has few functions: cursor, display, input, RTC configuration, capture and sink of sound.

use core::ffi::c_void;
use std::{sync::Arc, time::Duration};

use super::{Failure, TestHost, TestWaker, instance::TestInstance};
use crate::{
    AudioCapture, AudioSink, Button, Cursor, CursorImage, Display, Input, InputEvent, Output, OutputRequest,
    RtcConfig, RtcRequest, abi, guard, guard::size32,
};

pub(super) fn nanos(timeout: Option<Duration>) -> u64 {
    timeout.map_or(u64::MAX, |timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX))
}

/// The constructors and the access that every driver has.
macro_rules! driver {
    ($(#[$doc:meta])* $name:ident, $table:ident, $trait:ident, $sdk:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            pub(super) table: &'static abi::$table,
            pub(super) instance: Arc<TestInstance>,
        }

        impl $name {
            /// An instance of an SDK plugin. `config` is JSON.
            ///
            /// # Errors
            /// When `create` fails.
            pub fn of<T: $trait>(host: &TestHost, config: &str) -> Result<Self, Failure> {
                // SAFETY: the SDK's tables keep the ABI's promises.
                unsafe { Self::from_table(crate::private::$sdk::<T>::TABLE, host, config) }
            }

            /// An instance of any table.
            ///
            /// # Errors
            /// When `create` fails.
            ///
            /// # Safety
            /// The table is that of a plugin that keeps the ABI's promises.
            pub unsafe fn from_table(
                table: &'static abi::$table,
                host: &TestHost,
                config: &str,
            ) -> Result<Self, Failure> {
                // SAFETY: the caller vouches for the table.
                let instance = unsafe { TestInstance::create(host, table.create, table.destroy, config) }?;
                Ok(Self { table, instance })
            }

            /// The instance, for tests that call the table themselves.
            #[must_use]
            pub fn raw(&self) -> *mut abi::Instance {
                self.instance.raw()
            }

            pub(super) fn check(&self, answer: Option<abi::Status>) -> Result<bool, Failure> {
                self.instance.host().check(answer)
            }
        }
    };
}

driver!(
    /// A cursor instance, called through its table.
    TestCursor,
    CursorV1,
    Cursor,
    CursorTable
);
driver!(
    /// A display instance, called through its table.
    TestDisplay,
    DisplayV1,
    Display,
    DisplayTable
);
driver!(
    /// An input instance, called through its table.
    TestInput,
    InputV1,
    Input,
    InputTable
);
driver!(
    /// An RTC configuration source, called through its table.
    TestRtcConfig,
    RtcConfigV1,
    RtcConfig,
    RtcConfigTable
);

driver!(
    /// A capture of sound, called through its table.
    TestAudioCapture,
    AudioCaptureV1,
    AudioCapture,
    AudioCaptureTable
);
driver!(
    /// A sink of sound, called through its table.
    TestAudioSink,
    AudioSinkV1,
    AudioSink,
    AudioSinkTable
);

impl TestCursor {
    /// Waits for a new shape; `Ok(None)` when there is none.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<CursorImage>, Failure> {
        let mut out = abi::CursorImage {
            struct_size: size32::<abi::CursorImage>(),
            visible: 0,
            width: 0,
            height: 0,
            hot_x: 0,
            hot_y: 0,
            serial: 0,
            rgba: std::ptr::null(),
            reserved: [0; 2],
        };
        // SAFETY: the instance is alive and `out` writable.
        let answer = self.table.wait.map(|wait| unsafe { wait(self.raw(), nanos(timeout), &raw mut out) });
        if !self.check(answer)? {
            return Ok(None);
        }
        let len = out.width as usize * out.height as usize * 4;
        // SAFETY: the plugin keeps the image until the next call on the instance.
        let rgba = unsafe { guard::bytes(abi::Bytes { ptr: out.rgba, len }) };
        Ok(Some(CursorImage {
            visible: out.visible != 0,
            width: out.width,
            height: out.height,
            hot_x: out.hot_x,
            hot_y: out.hot_y,
            serial: out.serial,
            rgba: rgba.map(<[u8]>::to_vec).unwrap_or_default(),
        }))
    }

    /// Ends waits from other threads.
    #[must_use]
    pub fn waker(&self) -> TestWaker {
        TestWaker { instance: self.instance.clone(), wake: self.table.wake }
    }
}

impl TestDisplay {
    /// Every output as it is now.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn outputs(&mut self) -> Result<Vec<Output>, Failure> {
        let mut found: Vec<Output> = Vec::new();
        let sink = abi::OutputSink { ctx: (&raw mut found).cast(), emit: Some(emit_output) };
        // SAFETY: the instance is alive; the sink lives for the call.
        let answer = self.table.outputs.map(|outputs| unsafe { outputs(self.raw(), &raw const sink) });
        self.check(answer).map(|_| found)
    }

    /// Applies requests together.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn apply(&mut self, requests: &[OutputRequest]) -> Result<(), Failure> {
        let raw: Vec<abi::DisplayRequest> = requests
            .iter()
            .map(|request| abi::DisplayRequest {
                struct_size: size32::<abi::DisplayRequest>(),
                flags: if request.enabled { abi::OUTPUT_ENABLED } else { 0 }
                    | if request.primary { abi::OUTPUT_PRIMARY } else { 0 },
                name: abi::Str::new(&request.name),
                x: request.x,
                y: request.y,
                width: request.width,
                height: request.height,
                refresh_mhz: request.refresh_mhz,
                dpi: request.dpi,
                reserved: [0; 4],
            })
            .collect();
        let count = u32::try_from(raw.len()).unwrap_or(u32::MAX);
        // SAFETY: the instance is alive; the requests live for the call.
        let answer = self.table.apply.map(|apply| unsafe { apply(self.raw(), raw.as_ptr(), count) });
        self.check(answer).map(drop)
    }
}

unsafe extern "C" fn emit_output(ctx: *mut c_void, output: *const abi::DisplayOutput) {
    // SAFETY: `outputs` passes its list; the output lives for the call. An unusable one is left out.
    unsafe {
        let found = &mut *ctx.cast::<Vec<Output>>();
        let Ok(output) = guard::sized(output, "output") else { return };
        let Ok(name) = guard::text(output.name) else { return };
        found.push(Output {
            name: name.to_owned(),
            enabled: output.flags & abi::OUTPUT_ENABLED != 0,
            primary: output.flags & abi::OUTPUT_PRIMARY != 0,
            x: output.x,
            y: output.y,
            width: output.width,
            height: output.height,
            refresh_mhz: output.refresh_mhz,
            dpi: output.dpi,
            max_width: output.max_width,
            max_height: output.max_height,
        });
    }
}

impl TestInput {
    /// The kinds that the device understands, as a mask of `1 << INPUT_*`.
    #[must_use]
    pub fn kinds(&self) -> u64 {
        // SAFETY: the instance is alive.
        self.table.kinds.map_or(0, |kinds| unsafe { kinds(self.raw()) })
    }

    /// Injects events.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn inject(&mut self, events: &[InputEvent<'_>]) -> Result<(), Failure> {
        let events: Vec<abi::InputEvent> = events.iter().map(raw_event).collect();
        let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
        // SAFETY: the instance is alive; the events live for the call.
        let answer = self.table.inject.map(|inject| unsafe { inject(self.raw(), events.as_ptr(), count) });
        self.check(answer).map(drop)
    }
}

/// The event as the host sends it.
fn raw_event(event: &InputEvent<'_>) -> abi::InputEvent {
    let blank = abi::InputEvent {
        struct_size: size32::<abi::InputEvent>(),
        kind: 0,
        code: 0,
        value: 0,
        x: 0,
        y: 0,
        text: abi::Str::EMPTY,
        timestamp_ns: 0,
        reserved: [0; 2],
    };
    let key = |kind, code, pressed| abi::InputEvent { kind, code, value: u32::from(pressed), ..blank };
    let motion = |kind, x, y| abi::InputEvent { kind, x, y, ..blank };
    match *event {
        InputEvent::Keysym { keysym, pressed } => key(abi::INPUT_KEYSYM, keysym, pressed),
        InputEvent::Keycode { code, pressed } => key(abi::INPUT_KEYCODE, code, pressed),
        InputEvent::PointerAbsolute { x, y } => motion(abi::INPUT_POINTER_ABSOLUTE, x, y),
        InputEvent::PointerRelative { dx, dy } => motion(abi::INPUT_POINTER_RELATIVE, dx, dy),
        InputEvent::Scroll { dx, dy } => motion(abi::INPUT_SCROLL, dx, dy),
        InputEvent::Button { button, pressed } => {
            let code = match button {
                Button::Left => abi::BUTTON_LEFT,
                Button::Middle => abi::BUTTON_MIDDLE,
                Button::Right => abi::BUTTON_RIGHT,
                Button::Back => abi::BUTTON_BACK,
                Button::Forward => abi::BUTTON_FORWARD,
            };
            key(abi::INPUT_BUTTON, code, pressed)
        }
        InputEvent::Text(text) => {
            abi::InputEvent { kind: abi::INPUT_TEXT, text: abi::Str::new(text), ..blank }
        }
        InputEvent::ReleaseAll => abi::InputEvent { kind: abi::INPUT_RELEASE_ALL, ..blank },
        InputEvent::Touch { point, x, y, phase } => {
            abi::InputEvent { kind: abi::INPUT_TOUCH, code: point, value: phase, x, y, ..blank }
        }
    }
}

impl TestRtcConfig {
    /// Asks for a configuration.
    ///
    /// # Errors
    /// When the plugin fails; class 0 when it succeeds without an answer.
    pub fn fetch(&mut self, request: &RtcRequest) -> Result<String, Failure> {
        let raw = abi::RtcConfigRequest {
            struct_size: size32::<abi::RtcConfigRequest>(),
            tls: u32::from(request.tls),
            user: abi::Str::new(&request.user),
            protocol: abi::Str::new(&request.protocol),
            deadline_ns: request.deadline_ns,
            reserved: [0; 2],
        };
        let mut answers: Vec<String> = Vec::new();
        let sink = abi::TextSink { ctx: (&raw mut answers).cast(), emit: Some(emit_text) };
        // SAFETY: the instance is alive; request and sink live for the call.
        let answer =
            self.table.fetch.map(|fetch| unsafe { fetch(self.raw(), &raw const raw, &raw const sink) });
        self.check(answer)?;
        answers.pop().ok_or(Failure { status: 0, text: "fetch succeeded without an answer".into() })
    }

    /// Waits for a change; `Ok(false)` when there was none.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<bool, Failure> {
        // SAFETY: the instance is alive.
        self.check(self.table.wait.map(|wait| unsafe { wait(self.raw(), nanos(timeout)) }))
    }

    /// Ends waits from other threads.
    #[must_use]
    pub fn waker(&self) -> TestWaker {
        TestWaker { instance: self.instance.clone(), wake: self.table.wake }
    }
}

unsafe extern "C" fn emit_text(ctx: *mut c_void, text: abi::Str) {
    // SAFETY: `fetch` passes its list; the text lives for the call.
    unsafe {
        if let Ok(text) = guard::text(text) {
            (*ctx.cast::<Vec<String>>()).push(text.to_owned());
        }
    }
}
