//! A capture in a child.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use selkies_plugin_abi::Rect;

use super::Place;
use crate::{
    CaptureFailure, CaptureInstance, CaptureRequest, Damage, PluginError, RunningCapture, SharedBuffer,
    VideoFrame, Waker,
    child::wire::{Grabbed, Reply, Task, WireRect, color_bytes},
};

/// The capture, which writes the host's buffers.
pub(super) struct ServedCapture {
    state: State,
}

enum State {
    Idle(CaptureInstance),
    Running(RunningCapture),
    /// Between two states, which no task sees.
    Moving,
}

impl ServedCapture {
    pub(super) fn new(capture: CaptureInstance) -> Self {
        Self { state: State::Idle(capture) }
    }

    pub(super) fn waker(&self) -> Option<Waker> {
        match &self.state {
            State::Idle(capture) => Some(capture.waker()),
            State::Running(running) => Some(running.waker()),
            State::Moving => None,
        }
    }

    pub(super) fn serve(
        &mut self,
        task: Task,
        buffers: &BTreeMap<u32, Arc<SharedBuffer>>,
        place: &Place,
    ) -> Result<Reply, PluginError> {
        match (&mut self.state, task) {
            (State::Idle(capture), Task::CaptureInfo) => capture.info().map(Reply::CaptureInfo),
            (State::Idle(_), Task::CaptureStart { area, output, slots }) => {
                let buffers: Option<Vec<_>> = slots.iter().map(|slot| buffers.get(slot).cloned()).collect();
                let buffers = buffers.ok_or_else(|| place.refusal("a frame buffer could not be mapped"))?;
                self.change(|state| match state {
                    State::Idle(capture) => {
                        let started = capture.start(CaptureRequest { area: area.into(), output, buffers });
                        started.map(State::Running).map_err(|failure| stopped(*failure))
                    }
                    other => Ok(other),
                })
            }
            (State::Running(running), Task::CaptureWait { timeout_ns }) => {
                running.wait(timeout_ns.map(Duration::from_nanos)).map(Reply::Signal)
            }
            (State::Running(running), Task::CaptureGrab { buffer, slot, refresh }) => {
                let refresh: Vec<Rect> = refresh.into_iter().map(Into::into).collect();
                let mut frame = running.grab(buffer as usize, &refresh)?;
                if frame.lease().is_none() {
                    // In memory of this process: the host gets a copy.
                    let target = buffers.get(&slot).map(|target| frame.copied_to(target.lend()));
                    let text = "the capture's memory cannot be copied into a buffer of the host";
                    frame = target.flatten().ok_or_else(|| place.refusal(text))?;
                }
                Ok(Reply::Frame(grabbed(&frame)))
            }
            (State::Running(_), Task::CaptureStop) => self.change(|state| match state {
                State::Running(running) => {
                    running.stop().map(State::Idle).map_err(|failure| stopped(*failure))
                }
                other => Ok(other),
            }),
            _ => Err(place.misdirected()),
        }
    }

    /// Starts or stops; a capture that fails is idle.
    fn change(
        &mut self,
        change: impl FnOnce(State) -> Result<State, (State, PluginError)>,
    ) -> Result<Reply, PluginError> {
        match change(std::mem::replace(&mut self.state, State::Moving)) {
            Ok(state) => {
                self.state = state;
                Ok(Reply::Done)
            }
            Err((state, error)) => {
                self.state = state;
                Err(error)
            }
        }
    }
}

fn stopped(failure: CaptureFailure) -> (State, PluginError) {
    let CaptureFailure { capture, error } = failure;
    (State::Idle(capture), error)
}

fn grabbed(frame: &VideoFrame) -> Grabbed {
    Grabbed {
        timestamp_ns: frame.timestamp_ns(),
        color: color_bytes(frame.shape().color),
        planes: frame.planes(),
        damage: match frame.damage() {
            Damage::Full => None,
            Damage::Rects(rects) => Some(rects.iter().map(|rect| WireRect::from(*rect)).collect()),
        },
    }
}
