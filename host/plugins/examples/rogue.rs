//! A plugin's process in which an attacker runs: it enters as it should, offers an encoder, and then breaks the
//! protocol in the way that its first argument names. The host of tests/child must refuse each.
#![allow(unsafe_code)] // for numbers of descriptors that nobody gave it

use std::{os::fd::BorrowedFd, process::ExitCode};

use selkies_plugin_abi as abi;
use selkies_plugin_host::{
    CaptureInfo, EncoderOffer, FaultClass, FaultDetail, FaultOrigin, PluginError,
    child::{
        Channel, SlabPlace, adopt,
        wire::{
            Control, ControlAnswer, Create, Event, FromChild, Line, Loaded, Order, Reply, Report, Sent,
            Submit, Task, WireOffer, WirePacket, WireRect, decode, encode,
        },
    },
};

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let act = std::env::args().nth(1).unwrap_or_default();
    match adopt().map_err(Into::into).and_then(|adopted| {
        let _ = adopted.restrict();
        serve(&adopted.channel, &act)
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn send<T: serde::Serialize>(channel: &Channel, message: &T) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    encode(message, &mut bytes)?;
    Ok(channel.send(&bytes, &[])?)
}

fn answer(channel: &Channel, answer: ControlAnswer) -> Result<(), Failure> {
    send(channel, &FromChild::Answer { answer, misbehaved: 0 })
}

fn offer(name: &str) -> EncoderOffer {
    EncoderOffer {
        name: name.into(),
        flags: 0,
        codec: abi::CODEC_NULL,
        memory_mask: 1 << abi::MEMORY_CPU,
        fourccs: vec![abi::FOURCC_XRGB8888],
        chroma_mask: abi::CHROMA_444,
        rate_mask: 1 << abi::RATE_QUALITY,
        depth: 1,
        max_retained: 0,
        max_width: 4096,
        max_height: 4096,
        quality_min: 1,
        quality_max: 100,
        bit_depth_mask: 1 << 8,
    }
}

/// The child as a whole.
fn serve(channel: &Channel, act: &str) -> Result<(), Failure> {
    let mut message = Vec::new();
    loop {
        let fds = channel.receive(&mut message, None)?;
        match decode(&message)? {
            Control::Hello { .. } => {
                if act == "no hello" {
                    channel.send(b"\xff\xff\xff\xff\xff", &[])?;
                }
                answer(channel, ControlAnswer::Ready)?;
            }
            Control::Load { .. } => {
                let tables = [abi::ids::ENCODER_V1, abi::ids::CAPTURE_V1].map(|id| WireOffer {
                    id: id.to_owned(),
                    bytes: Some(56),
                    wanted: Some(56),
                    refusal: None,
                });
                answer(channel, ControlAnswer::Loaded(Ok(Loaded { plugin: 0, offers: tables.into() })))?;
            }
            Control::Probe { .. } => {
                if act == "two answers" {
                    (0..3).try_for_each(|_| answer(channel, ControlAnswer::Ready))?;
                }
                let name = if act == "bad offer" { "../../etc" } else { "rogue" };
                answer(channel, ControlAnswer::Offers(Ok(vec![offer(name)])))?;
            }
            Control::Create { what, .. } => {
                let mut fds = fds.into_iter();
                let instance = Channel::from_fd(fds.next().ok_or("no channel")?);
                report(&instance, Vec::new(), Some(Reply::Done))?;
                if matches!(what, Create::Capture) {
                    capture(&instance, act)?;
                    continue;
                }
                if act == "endless lines" {
                    flood(channel)?;
                }
                encode_frames(&instance, act)?;
            }
            Control::ProbeAudio { .. } | Control::LogLevel(_) => {}
        }
    }
}

/// One capture. What wakes it stays open in `serve`.
fn capture(channel: &Channel, act: &str) -> Result<(), Failure> {
    let mut message = Vec::new();
    let mut buffers = 0;
    loop {
        drop(channel.receive(&mut message, None)?);
        let Order { task, .. } = decode(&message)?;
        let reply = match task {
            Task::Buffer { .. } => {
                buffers += 1;
                continue;
            }
            Task::Forget(_) => {
                buffers -= 1;
                continue;
            }
            Task::CaptureStart { .. } if act == "does not start" => {
                let report = Report {
                    events: Vec::new(),
                    answer: Some(Err(refusal().into())),
                    misbehaved: 0,
                    metrics: None,
                };
                send(channel, &Sent::Report(report))?;
                continue;
            }
            Task::CaptureInfo => Reply::CaptureInfo(CaptureInfo {
                host_buffers: act == "does not start",
                damage: false,
                draws_cursor: false,
                width: 64 + buffers,
                height: 32,
                fourcc: abi::FOURCC_XRGB8888,
                stride_align: 64,
            }),
            Task::CaptureWait { .. } if act == "blocks whoever wakes it" => {
                block_writers();
                std::thread::park();
                continue;
            }
            Task::CaptureStart { .. } | Task::End => Reply::Done,
            _ => continue,
        };
        report(channel, Vec::new(), Some(reply))?;
    }
}

fn refusal() -> PluginError {
    PluginError {
        plugin: "rogue".into(),
        function: "capture.start",
        origin: FaultOrigin::Caller,
        class: FaultClass::Reconfigure,
        detail: FaultDetail::Unspecified,
        text: "it does not".into(),
        ending: None,
        bystander: true,
    }
}

/// Fills whatever this process can write, as far as that goes without waiting, and lets all further writes wait.
fn block_writers() {
    for number in 3..64 {
        // SAFETY: nobody closes descriptors meanwhile; what is none makes the calls fail.
        let fd = unsafe { BorrowedFd::borrow_raw(number) };
        let Ok(flags) = rustix::fs::fcntl_getfl(fd) else { continue };
        if rustix::net::sockopt::socket_type(fd).is_err() {
            let _ = rustix::fs::fcntl_setfl(fd, flags | rustix::fs::OFlags::NONBLOCK);
            // Less and less, so that what counts is full to the last one.
            for shift in 0..64 {
                while rustix::io::write(fd, &((u64::MAX - 1) >> shift).max(1).to_ne_bytes()).is_ok() {}
            }
        }
        let _ = rustix::fs::fcntl_setfl(fd, flags - rustix::fs::OFlags::NONBLOCK);
    }
}

fn flood(channel: &Channel) -> Result<(), Failure> {
    loop {
        send(
            channel,
            &FromChild::Line(Line {
                level: abi::LEVEL_ERROR,
                plugin: Some("selkies.x11".into()),
                function: None,
                module: None,
                fields: Some("{broken".into()),
                message: "no end\n2026 ERROR forged".into(),
            }),
        )?;
    }
}

fn report(channel: &Channel, events: Vec<Event>, reply: Option<Reply>) -> Result<(), Failure> {
    let report = Report { events, answer: reply.map(Ok), misbehaved: 0, metrics: None };
    send(channel, &Sent::Report(report))
}

fn packet(submit: &Submit, unit: u32, class: u8) -> WirePacket {
    WirePacket {
        place: SlabPlace { unit, class },
        len: 16,
        codec: abi::CODEC_NULL,
        flags: abi::PACKET_KEY,
        layer: 0,
        frame_id: submit.frame_id,
        reference_frame_id: 0,
        duration_ns: 0,
        area: WireRect(0, 0, 1, 1),
    }
}

/// One instance.
fn encode_frames(channel: &Channel, act: &str) -> Result<(), Failure> {
    let mut message = Vec::new();
    loop {
        drop(channel.receive(&mut message, None)?);
        let Order { task, .. } = decode(&message)?;
        let submit = match task {
            Task::Submit(submit) => submit,
            Task::End => return report(channel, Vec::new(), Some(Reply::Done)),
            _ => continue,
        };
        let good = || packet(&submit, 0, 0);
        let finished = || Event::Done {
            frame_id: submit.frame_id,
            outcome: Ok(()),
            refine_at_ns: None,
            convert_ns: None,
        };
        let done = finished();
        let returned = Event::Returned(submit.token);
        let sent = |packet: WirePacket| Event::Packet(packet);
        let mut events = match act {
            "place behind the arena" => vec![sent(packet(&submit, u32::MAX, 0))],
            "end behind the arena" => vec![sent(packet(&submit, (512 << 20) / 64 - 1, 0))],
            "unknown size" => vec![sent(packet(&submit, 0, 200))],
            "one slab twice" => vec![sent(good()), sent(good())],
            "slabs that overlap" => vec![sent(packet(&submit, 0, 4)), sent(packet(&submit, 3, 0))],
            "too long" => vec![sent(WirePacket { len: 4097, ..good() })],
            "empty" => vec![sent(WirePacket { len: 0, ..good() })],
            "another frame" => vec![sent(WirePacket { frame_id: submit.frame_id + 1, ..good() })],
            "another codec" => vec![sent(WirePacket { codec: abi::CODEC_JPEG, ..good() })],
            "area outside" => vec![sent(WirePacket { area: WireRect(u32::MAX, 0, 2, 1), ..good() })],
            "future reference" => {
                vec![sent(WirePacket { reference_frame_id: submit.frame_id, ..good() })]
            }
            "done twice" => vec![finished()],
            "unknown token" => vec![Event::Returned(submit.token + 1)],
            "too many events" => (0..300).map(|_| Event::Returned(submit.token)).collect(),
            _ => Vec::new(),
        };
        match act {
            "garbage" => channel.send(&[0xff; 1000], &[])?,
            "too much" => {
                let mut bytes = Vec::new();
                let report = Report { events: Vec::new(), answer: None, misbehaved: 0, metrics: None };
                encode(&Sent::Report(report), &mut bytes)?;
                bytes.push(0);
                channel.send(&bytes, &[])?;
            }
            "a file that never answers" => {
                let (pipe, _writer) = rustix::pipe::pipe()?;
                let mut bytes = Vec::new();
                encode(&Sent::Spilled(1000), &mut bytes)?;
                channel.send(&bytes, &[std::os::fd::AsFd::as_fd(&pipe)])?;
            }
            "silence" => loop {
                std::thread::park();
            },
            "another answer" => report(channel, vec![returned, done], Some(Reply::Rate(true)))?,
            "two answers in a frame" => {
                report(channel, vec![returned, done], Some(Reply::Done))?;
                report(channel, Vec::new(), Some(Reply::Done))?;
            }
            "keeps the frame" => report(channel, vec![done], Some(Reply::Done))?,
            _ => {
                events.extend([done, returned]);
                report(channel, events, Some(Reply::Done))?;
            }
        }
    }
}
