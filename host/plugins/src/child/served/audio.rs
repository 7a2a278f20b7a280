//! Sound in a child.

use std::time::Duration;

use super::Place;
use crate::{
    AudioCaptureInstance, AudioEncoderInstance, AudioSinkInstance, PluginError,
    child::wire::{Reply, Task},
};

pub(super) fn capture(
    capture: &mut AudioCaptureInstance,
    task: Task,
    place: &Place,
) -> Result<Reply, PluginError> {
    match task {
        Task::AudioInfo => capture.info().map(Reply::AudioFormat),
        Task::AudioCaptureStart(request) => capture.start(&request).map(|()| Reply::Done),
        Task::AudioRead { timeout_ns } => {
            capture.read(timeout_ns.map(Duration::from_nanos)).map(Reply::Sound)
        }
        Task::AudioStop => capture.stop().map(|()| Reply::Done),
        _ => Err(place.misdirected()),
    }
}

pub(super) fn encoder(
    encoder: &mut AudioEncoderInstance,
    task: Task,
    place: &Place,
) -> Result<Reply, PluginError> {
    match task {
        Task::AudioStreamInfo => encoder.info().map(Reply::AudioStreamInfo),
        Task::AudioAdjust { bitrate, loss_ppm } => encoder.adjust(bitrate, loss_ppm).map(|()| Reply::Done),
        Task::AudioEncode(block) => encoder.encode(&block).map(Reply::AudioPacket),
        _ => Err(place.misdirected()),
    }
}

pub(super) fn sink(sink: &mut AudioSinkInstance, task: Task, place: &Place) -> Result<Reply, PluginError> {
    match task {
        Task::AudioInfo => sink.info().map(Reply::AudioFormat),
        Task::AudioSinkStart(request) => sink.start(&request).map(|()| Reply::Done),
        Task::AudioWrite(block) => sink.write(&block).map(|()| Reply::Done),
        Task::AudioSinkWait { timeout_ns } => {
            sink.wait(timeout_ns.map(Duration::from_nanos)).map(Reply::AudioSinkState)
        }
        Task::AudioStop => sink.stop().map(|()| Reply::Done),
        _ => Err(place.misdirected()),
    }
}
