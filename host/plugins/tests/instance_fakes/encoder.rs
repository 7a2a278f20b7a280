//! An encoder in the bare ABI that behaves as its configuration says.

use selkies_plugin_abi::{self as abi, Frame, Host, Instance, Rect, Status, Str, SubmitParams};

use super::{Fake, View, create as make, destroy, fake, note, say};

/// Width and height of its frames.
pub(crate) const SIZE: (u32, u32) = (64, 48);

pub(crate) static TABLE: abi::EncoderV1 = abi::EncoderV1 {
    struct_size: size_of::<abi::EncoderV1>() as u32,
    reserved: 0,
    probe: Some(probe),
    create: Some(create),
    destroy: Some(destroy),
    configure: Some(configure),
    submit: Some(submit),
    drain: Some(drain),
};

pub(crate) static RATE: abi::EncoderRateV1 = abi::EncoderRateV1 {
    struct_size: size_of::<abi::EncoderRateV1>() as u32,
    reserved: 0,
    set: Some(set_rate),
};

fn caps(name: &'static str, fourccs: &[u32]) -> abi::EncoderCaps {
    abi::EncoderCaps {
        struct_size: size_of::<abi::EncoderCaps>() as u32,
        flags: abi::ENCODER_INTRA_ONLY | abi::ENCODER_STRIPES,
        name: Str::new(name),
        codec: abi::CODEC_JPEG,
        memory_mask: 1 << abi::MEMORY_CPU | 1 << abi::MEMORY_MEMFD,
        fourccs: fourccs.as_ptr(),
        fourcc_count: fourccs.len() as u32,
        chroma_mask: abi::CHROMA_420,
        rate_mask: 1 << abi::RATE_QUALITY,
        depth: 2,
        max_retained: 1,
        max_width: 4096,
        max_height: 4096,
        quality_min: 1,
        quality_max: 100,
        bit_depth_mask: 1 << 8,
        reserved: [0; 4],
    }
}

unsafe extern "C" fn probe(host: *const Host, config: Str, sink: *const abi::CapsSink) -> Status {
    // SAFETY: the host hands valid pointers over.
    unsafe {
        let (sink, emit) = (*sink, (*sink).emit.unwrap());
        let formats = [abi::FOURCC_XRGB8888];
        let good = caps("fake", &formats);
        match std::str::from_utf8(std::slice::from_raw_parts(config.ptr, config.len)).unwrap() {
            "nothing" => return 0,
            "broken" => return say(&View(*host), abi::failure(5, 9), "the GPU is gone"),
            "bad" => {
                emit(sink.ctx, std::ptr::null());
                emit(sink.ctx, &caps("Upper Case", &formats));
                emit(sink.ctx, &caps("formats", &[]));
                emit(sink.ctx, &abi::EncoderCaps { struct_size: 8, ..good });
                emit(sink.ctx, &abi::EncoderCaps { fourcc_count: 33, ..good });
                emit(sink.ctx, &abi::EncoderCaps { depth: 0, ..good });
                emit(sink.ctx, &abi::EncoderCaps { codec: 77, ..good });
                emit(sink.ctx, &abi::EncoderCaps { quality_min: 101, ..good });
                emit(sink.ctx, &abi::EncoderCaps { memory_mask: 1 << 9, ..good });
                // From a wrong context, and from another thread: not counted for a plugin, because it is not known.
                emit((sink.ctx as usize + 999) as *mut _, &good);
                let ctx = sink.ctx as usize;
                std::thread::spawn(move || emit(ctx as *mut _, &caps("thread", &[1]))).join().unwrap();
            }
            "flood" => (0..100).for_each(|_| emit(sink.ctx, &good)),
            _ => {}
        }
        emit(sink.ctx, &good);
    }
    0
}

unsafe extern "C" fn create(
    host: *const Host,
    config: Str,
    params: *const abi::EncoderParams,
    out: *mut *mut Instance,
) -> Status {
    // SAFETY: the host hands valid pointers over.
    unsafe {
        assert_eq!(((*params).width, (*params).height, (*params).codec), (SIZE.0, SIZE.1, abi::CODEC_JPEG));
        HOSTS.with_borrow_mut(|hosts| hosts.push(View(*host)));
        make(host, config, out)
    }
}

unsafe extern "C" fn configure(_: *mut Instance, params: *const abi::EncoderParams) -> Status {
    // SAFETY: the host hands valid pointers over.
    if unsafe { (*params).quality } == 77 {
        abi::failure(abi::CLASS_RECONFIGURE, abi::DETAIL_UNSUPPORTED)
    } else {
        0
    }
}

unsafe extern "C" fn set_rate(_: *mut Instance, rate: *const abi::EncoderRate) -> Status {
    // SAFETY: the host hands valid pointers over.
    unsafe { note(format!("rate {} {}", (*rate).quality, (*rate).fps_num)) };
    0
}

unsafe extern "C" fn drain(instance: *mut Instance) -> Status {
    // SAFETY: an instance of this fake.
    let fake = unsafe { fake(instance) };
    if fake.act == "later" {
        for frame_id in 1..=u64::from(fake.calls) {
            done(&fake.view, frame_id, 0);
        }
    }
    0
}

thread_local! {
    /// The hosts of encoders made on this thread.
    pub(crate) static HOSTS: std::cell::RefCell<Vec<View>> = const { std::cell::RefCell::new(Vec::new()) };
}

pub(crate) fn memory(view: &View) -> &'static abi::MemoryV1 {
    view.table(abi::ids::HOST_MEMORY_V1).unwrap()
}

pub(crate) fn slab(view: &View, len: usize) -> (Status, abi::Slab) {
    let mut slab = abi::Slab { ptr: std::ptr::null_mut(), capacity: 0, token: 0 };
    // SAFETY: the place is valid.
    let status = unsafe { memory(view).slab.unwrap()(view.ctx(), len, &mut slab) };
    (status, slab)
}

fn commit(view: &View, slab: *const abi::Slab, packet: *const abi::Packet) -> Status {
    // SAFETY: the pointers are valid or meant to be refused.
    unsafe { memory(view).commit.unwrap()(view.ctx(), slab, packet) }
}

fn done(view: &View, frame_id: u64, status: Status) {
    let table: &abi::HostEncoderV1 = view.table(abi::ids::HOST_ENCODER_V1).unwrap();
    let struct_size = size_of::<abi::FrameDone>() as u32;
    let done = abi::FrameDone { struct_size, status, frame_id, refine_at_ns: 0, reserved: [0; 2] };
    // SAFETY: valid for the call.
    unsafe { table.done.unwrap()(view.ctx(), &done) };
}

fn packet(frame: &Frame, len: usize) -> abi::Packet {
    abi::Packet {
        struct_size: size_of::<abi::Packet>() as u32,
        codec: abi::CODEC_JPEG,
        flags: abi::PACKET_KEY,
        layer: 0,
        len,
        frame_id: frame.frame_id,
        reference_frame_id: 0,
        timestamp_ns: frame.timestamp_ns,
        duration_ns: 0,
        area: Rect { x: 0, y: 0, width: frame.width, height: frame.height },
        stream: 0,
        reserved32: 0,
        reserved: [0; 3],
    }
}

unsafe extern "C" fn submit(
    instance: *mut Instance,
    frame: *const Frame,
    params: *const SubmitParams,
) -> Status {
    // SAFETY: the host hands valid pointers over.
    unsafe {
        let Fake { view, act, calls } = fake(instance);
        let (frame, params) = (&*frame, &*params);
        *calls += 1;
        let (status, mut slab) = if act == "exhaust" { (0, slab(view, 0).1) } else { slab(view, 5000) };
        assert_eq!((status, slab.ptr as usize % 64), (0, 0));
        slab.ptr.copy_from(frame.planes[0].ptr, 5);
        let mut packet = packet(frame, 5);
        if params.flags & abi::SUBMIT_KEYFRAME == 0 {
            packet.flags = 0;
        }
        match act.as_str() {
            "double-commit" => {
                note(commit(view, &slab, &packet));
                note(commit(view, &slab, &packet));
            }
            "foreign-slab" => {
                let foreign = abi::Slab { token: u64::MAX, ..slab };
                note(commit(view, &foreign, &packet));
                note(commit(view, &slab, &packet));
            }
            "forged-pointer" => {
                slab.ptr = slab.ptr.add(64);
                note(commit(view, &slab, &packet));
            }
            "null" => {
                note(commit(view, std::ptr::null(), &packet));
                note(commit(view, &slab, std::ptr::null()));
                note(memory(view).slab.unwrap()(view.ctx(), 1, std::ptr::null_mut()));
                memory(view).abandon.unwrap()(view.ctx(), std::ptr::null());
                let table: &abi::HostEncoderV1 = view.table(abi::ids::HOST_ENCODER_V1).unwrap();
                table.done.unwrap()(view.ctx(), std::ptr::null());
            }
            "bad-packets" => {
                let bad = [
                    abi::Packet { len: 0, ..packet },
                    abi::Packet { len: slab.capacity + 1, ..packet },
                    abi::Packet { len: usize::MAX, ..packet },
                    abi::Packet { struct_size: 4, ..packet },
                    abi::Packet { codec: abi::CODEC_H264, ..packet },
                    abi::Packet { frame_id: 999, ..packet },
                    abi::Packet { reference_frame_id: frame.frame_id, ..packet },
                    abi::Packet { area: Rect { x: 1, ..packet.area }, ..packet },
                    abi::Packet { area: Rect { width: 0, ..packet.area }, ..packet },
                    abi::Packet { area: Rect { y: u32::MAX, ..packet.area }, ..packet },
                ];
                memory(view).abandon.unwrap()(view.ctx(), &slab);
                for bad in &bad {
                    note(commit(view, &self::slab(view, 10).1, bad));
                }
            }
            "exhaust" => {
                memory(view).abandon.unwrap()(view.ctx(), &slab);
                note(self::slab(view, usize::MAX).0);
                let slabs: Vec<_> = std::iter::repeat_with(|| self::slab(view, 1))
                    .take_while(|(status, _)| *status == 0)
                    .map(|(_, slab)| slab)
                    .collect();
                note(slabs.len());
                for slab in &slabs {
                    memory(view).abandon.unwrap()(view.ctx(), slab);
                }
                note(self::slab(view, 1).0);
            }
            "later" => {
                let (retain, release) = (memory(view).retain.unwrap(), memory(view).release.unwrap());
                note(retain(view.ctx(), frame.token));
                note(retain(view.ctx(), frame.token));
                note(retain(view.ctx(), frame.token + 1));
                release(view.ctx(), frame.token + 1);
                memory(view).abandon.unwrap()(view.ctx(), &slab);
                return 0;
            }
            "thread" => {
                memory(view).abandon.unwrap()(view.ctx(), &slab);
                let view = *view;
                let status = std::thread::spawn(move || {
                    let view = view;
                    let (_, slab) = self::slab(&view, 10);
                    let status = commit(&view, &slab, &packet);
                    done(&view, packet.frame_id, 0);
                    status
                });
                note(status.join().unwrap());
                return 0;
            }
            "fail" => return say(view, abi::failure(abi::CLASS_RETRY, abi::DETAIL_TIMEOUT), "too slow"),
            "panic" => {
                return say(view, abi::failure(abi::CLASS_RETRY, abi::DETAIL_PANIC), "index out of bounds");
            }
            "no-class" => return -7,
            "fail-done" => {
                say(view, abi::failure(abi::CLASS_DEVICE_LOST, abi::DETAIL_IO), "GPU reset");
                done(view, frame.frame_id, abi::failure(abi::CLASS_DEVICE_LOST, abi::DETAIL_IO));
                return 0;
            }
            "done-twice" => {
                done(view, frame.frame_id, 0);
            }
            "forget" => return 0,
            _ => note(commit(view, &slab, &packet)),
        }
        done(view, frame.frame_id, 0);
    }
    0
}
