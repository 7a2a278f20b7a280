//! The plugin through its C tables, as a host sees it.
#![allow(unsafe_code)] // The tables are C functions, and this is the host's side of them.

use std::{
    ffi::c_void,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use selkies_plugin_sdk::abi;
// Links the plugin, and with it the entry.
use selkies_striped_jpeg as _;

unsafe extern "C" {
    #[link_name = "selkies_plugin_entry"]
    static ENTRY: abi::PluginEntry;
}

/// A host with slabs of its own and a clock that stands where it is put.
#[derive(Default)]
struct TestHost {
    now: AtomicU64,
    packets: Mutex<Vec<(abi::Packet, Vec<u8>)>>,
    done: Mutex<Vec<abi::FrameDone>>,
    failures: Mutex<Vec<String>>,
    slabs_out: AtomicU64,
}

fn this(ctx: *mut c_void) -> &'static TestHost {
    // SAFETY: every context of these tests is a leaked TestHost.
    unsafe { &*ctx.cast::<TestHost>() }
}

fn text(value: abi::Str) -> String {
    // SAFETY: texts of the plugin live for the call.
    let bytes = unsafe { std::slice::from_raw_parts(value.ptr, value.len) };
    String::from_utf8(bytes.to_vec()).unwrap()
}

unsafe extern "C" fn max_level(_: *mut c_void) -> u32 {
    abi::LEVEL_INFO
}
unsafe extern "C" fn log(_: *mut c_void, _: u32, _: abi::Str, _: abi::Str, _: abi::Str) {}
unsafe extern "C" fn fail(ctx: *mut c_void, _: abi::Status, why: abi::Str) {
    this(ctx).failures.lock().unwrap().push(text(why));
}
unsafe extern "C" fn now_ns(ctx: *mut c_void) -> u64 {
    this(ctx).now.load(Ordering::Relaxed)
}
unsafe extern "C" fn slab(ctx: *mut c_void, min_len: usize, out: *mut abi::Slab) -> abi::Status {
    this(ctx).slabs_out.fetch_add(1, Ordering::Relaxed);
    let memory = vec![0u8; min_len].leak();
    // SAFETY: the plugin gave a place to write to.
    unsafe { *out = abi::Slab { ptr: memory.as_mut_ptr(), capacity: min_len, token: 1 } };
    abi::OK
}
unsafe extern "C" fn commit(
    ctx: *mut c_void,
    slab: *const abi::Slab,
    packet: *const abi::Packet,
) -> abi::Status {
    this(ctx).slabs_out.fetch_sub(1, Ordering::Relaxed);
    // SAFETY: both live for the call; the slab is one of `slab`.
    let (packet, bytes) = unsafe { (*packet, std::slice::from_raw_parts((*slab).ptr, (*packet).len)) };
    this(ctx).packets.lock().unwrap().push((packet, bytes.to_vec()));
    abi::OK
}
unsafe extern "C" fn abandon(ctx: *mut c_void, _: *const abi::Slab) {
    this(ctx).slabs_out.fetch_sub(1, Ordering::Relaxed);
}
unsafe extern "C" fn done(ctx: *mut c_void, done: *const abi::FrameDone) {
    // SAFETY: it lives for the call.
    this(ctx).done.lock().unwrap().push(unsafe { *done });
}

static LOG: abi::LogV1 = abi::LogV1 {
    struct_size: size_of::<abi::LogV1>() as u32,
    reserved: 0,
    max_level: Some(max_level),
    log: Some(log),
    fail: Some(fail),
};
static CLOCK: abi::ClockV1 =
    abi::ClockV1 { struct_size: size_of::<abi::ClockV1>() as u32, reserved: 0, now_ns: Some(now_ns) };
static MEMORY: abi::MemoryV1 = abi::MemoryV1 {
    struct_size: size_of::<abi::MemoryV1>() as u32,
    reserved: 0,
    slab: Some(slab),
    commit: Some(commit),
    abandon: Some(abandon),
    retain: None,
    release: None,
};
static ENCODER: abi::HostEncoderV1 =
    abi::HostEncoderV1 { struct_size: size_of::<abi::HostEncoderV1>() as u32, reserved: 0, done: Some(done) };

unsafe extern "C" fn query(_: *mut c_void, id: abi::Str) -> *const c_void {
    match text(id).as_str() {
        abi::ids::HOST_LOG_V1 => std::ptr::from_ref(&LOG).cast(),
        abi::ids::HOST_CLOCK_V1 => std::ptr::from_ref(&CLOCK).cast(),
        abi::ids::HOST_MEMORY_V1 => std::ptr::from_ref(&MEMORY).cast(),
        abi::ids::HOST_ENCODER_V1 => std::ptr::from_ref(&ENCODER).cast(),
        _ => std::ptr::null(),
    }
}

fn host() -> (&'static TestHost, &'static abi::Host) {
    let state: &'static TestHost = Box::leak(Box::default());
    let raw = abi::Host {
        struct_size: size_of::<abi::Host>() as u32,
        reserved: 0,
        ctx: std::ptr::from_ref(state).cast_mut().cast(),
        query: Some(query),
    };
    (state, Box::leak(Box::new(raw)))
}

fn table<T>(id: &str) -> &'static T {
    // SAFETY: the entry is a constant of the plugin; the id names the type of the table.
    unsafe { ENTRY.query.unwrap()(abi::Str::new(id)).cast::<T>().as_ref().unwrap() }
}

fn params(width: u32, height: u32) -> abi::EncoderParams {
    // SAFETY: all fields are numbers and pointers, for which zero is a value.
    let mut params: abi::EncoderParams = unsafe { std::mem::zeroed() };
    params.struct_size = size_of::<abi::EncoderParams>() as u32;
    params.codec = abi::CODEC_JPEG;
    params.name = abi::Str::new("jpeg");
    (params.width, params.height) = (width, height);
    params.fourcc = abi::FOURCC_XRGB8888;
    params.memory = abi::MEMORY_CPU;
    (params.fps_num, params.fps_den) = (60, 1);
    params.chroma = abi::CHROMA_420;
    params.bit_depth = 8;
    params.rate = abi::RATE_QUALITY;
    (params.quality, params.refine_quality) = (40, 90);
    params
}

fn frame(pixels: &[u8], width: u32, height: u32, frame_id: u64, damage: Option<&[abi::Rect]>) -> abi::Frame {
    // SAFETY: as for the parameters.
    let mut frame: abi::Frame = unsafe { std::mem::zeroed() };
    frame.struct_size = size_of::<abi::Frame>() as u32;
    frame.memory = abi::MEMORY_CPU;
    (frame.width, frame.height) = (width, height);
    frame.fourcc = abi::FOURCC_XRGB8888;
    frame.plane_count = 1;
    frame.flags = if damage.is_none() { abi::FRAME_FULL_DAMAGE } else { 0 };
    frame.damage_count = damage.map_or(0, |rects| rects.len() as u32);
    frame.damage = damage.map_or(std::ptr::null(), <[_]>::as_ptr);
    frame.frame_id = frame_id;
    frame.timestamp_ns = 77;
    frame.planes[0] = abi::Plane {
        ptr: pixels.as_ptr(),
        handle: 0,
        offset: 0,
        len: pixels.len() as u64,
        stride: width * 4,
        fd: -1,
    };
    frame
}

fn submit(instance: *mut c_void, frame: &abi::Frame, flags: u32) -> abi::Status {
    // SAFETY: as for the parameters.
    let mut params: abi::SubmitParams = unsafe { std::mem::zeroed() };
    params.struct_size = size_of::<abi::SubmitParams>() as u32;
    params.flags = flags;
    // SAFETY: the instance lives, and frame and parameters live for the call.
    unsafe {
        table::<abi::EncoderV1>(abi::ids::ENCODER_V1).submit.unwrap()(instance, frame, &raw const params)
    }
}

unsafe extern "C" fn take_caps(ctx: *mut c_void, caps: *const abi::EncoderCaps) {
    // SAFETY: the context is the vector below, the caps live for the call.
    let (list, caps) = unsafe { (&mut *ctx.cast::<Vec<(String, u32, u32)>>(), *caps) };
    list.push((text(caps.name), caps.codec, caps.flags));
}

#[test]
fn it_offers_one_jpeg_encoder() {
    let (_, host) = host();
    let mut list: Vec<(String, u32, u32)> = Vec::new();
    let sink = abi::CapsSink { ctx: (&raw mut list).cast(), emit: Some(take_caps) };
    let probe = table::<abi::EncoderV1>(abi::ids::ENCODER_V1).probe.unwrap();
    // SAFETY: all arguments live for the call.
    assert_eq!(unsafe { probe(host, abi::Str::new("{}"), &raw const sink) }, abi::OK);
    let flags = abi::ENCODER_STRIPES | abi::ENCODER_DAMAGE | abi::ENCODER_INTRA_ONLY | abi::ENCODER_REFINES;
    assert_eq!(list, [("jpeg".to_owned(), abi::CODEC_JPEG, flags)]);
    // SAFETY: as above.
    assert!(unsafe { probe(host, abi::Str::new(r#"{"thread":1}"#), &raw const sink) } < 0);
}

#[test]
fn frames_become_packets_and_refinements_on_the_hosts_clock() {
    let (state, host) = host();
    let encoder = table::<abi::EncoderV1>(abi::ids::ENCODER_V1);
    let mut instance = std::ptr::null_mut();
    let config = abi::Str::new(r#"{"threads":2,"refine_delay_ms":100}"#);
    let (width, height) = (640u32, 200u32);
    let wanted = params(width, height);
    // SAFETY: all arguments live for the call.
    let status = unsafe { encoder.create.unwrap()(host, config, &raw const wanted, &raw mut instance) };
    assert_eq!(status, abi::OK, "{:?}", state.failures.lock().unwrap());
    let take = || std::mem::take(&mut *state.packets.lock().unwrap());
    let last = || *state.done.lock().unwrap().last().unwrap();

    let mut pixels: Vec<u8> = (0..width * height * 4).map(|at| (at / 97) as u8).collect();
    state.now.store(1_000_000_000, Ordering::Relaxed);
    assert_eq!(submit(instance, &frame(&pixels, width, height, 1, None), abi::SUBMIT_KEYFRAME), abi::OK);
    let mut packets = take();
    packets.sort_by_key(|(packet, _)| packet.area.y);
    let areas: Vec<_> = packets.iter().map(|(packet, _)| packet.area).collect();
    let stripe = |y, height| abi::Rect { x: 0, y, width, height };
    assert_eq!(areas, [stripe(0, 64), stripe(64, 64), stripe(128, 64), stripe(192, 8)]);
    for (packet, jpeg) in &packets {
        assert_eq!((packet.codec, packet.flags), (abi::CODEC_JPEG, abi::PACKET_KEY));
        assert_eq!((packet.frame_id, packet.timestamp_ns), (1, 77));
        let header = turbojpeg::read_header(jpeg).unwrap();
        assert_eq!((header.width, header.height), (width as usize, packet.area.height as usize));
        assert_eq!(header.subsamp, turbojpeg::Subsamp::Sub2x2);
    }
    assert_eq!((last().status, last().frame_id, last().refine_at_ns), (abi::OK, 1, 1_100_000_000));

    // A rectangle of the next frame.
    for y in 70..86 {
        pixels[(y * width as usize + 5) * 4..][..64].fill(0xff);
    }
    let rect = [abi::Rect { x: 5, y: 70, width: 16, height: 16 }];
    assert_eq!(submit(instance, &frame(&pixels, width, height, 2, Some(&rect)), 0), abi::OK);
    let packets = take();
    assert_eq!(packets.iter().map(|(packet, _)| packet.area).collect::<Vec<_>>(), [stripe(64, 64)]);
    assert_eq!(packets[0].0.flags, abi::PACKET_INTRA);

    // Frame 3 never came here, so frame 4 is looked through whole.
    pixels[150 * width as usize * 4..][..400].fill(0);
    assert_eq!(submit(instance, &frame(&pixels, width, height, 4, Some(&[])), 0), abi::OK);
    assert_eq!(
        take()
            .iter()
            .filter(|(packet, _)| packet.area.y <= 150 && packet.area.y + packet.area.height > 150)
            .count(),
        1
    );

    state.now.store(1_200_000_000, Ordering::Relaxed);
    assert_eq!(submit(instance, &frame(&pixels, width, height, 4, Some(&[])), abi::SUBMIT_REFINE), abi::OK);
    let packets = take();
    let flags = abi::PACKET_INTRA | abi::PACKET_REFINEMENT;
    assert!(packets.iter().all(|(packet, _)| packet.flags == flags));
    // At rest, colours come in full resolution.
    let subsamp = |jpeg: &[u8]| turbojpeg::read_header(jpeg).unwrap().subsamp;
    assert!(packets.iter().all(|(_, jpeg)| subsamp(jpeg) == turbojpeg::Subsamp::None));
    assert_eq!(packets.iter().map(|(packet, _)| packet.area.height).sum::<u32>(), height);
    assert_eq!(last().refine_at_ns, 0);

    // A better quality from the next frame on.
    // SAFETY: all fields are numbers.
    let mut rate: abi::EncoderRate = unsafe { std::mem::zeroed() };
    rate.struct_size = size_of::<abi::EncoderRate>() as u32;
    let set = table::<abi::EncoderRateV1>(abi::ids::ENCODER_RATE_V1).set.unwrap();
    for wrong in [0, 101, 256, abi::UNSET - 1] {
        rate.quality = wrong;
        // SAFETY: the instance lives.
        assert!(unsafe { set(instance, &raw const rate) } < 0, "quality {wrong}");
    }
    for quality in [95, abi::UNSET] {
        rate.quality = quality;
        // SAFETY: as above.
        assert_eq!(unsafe { set(instance, &raw const rate) }, abi::OK, "UNSET leaves the 95");
    }
    assert_eq!(submit(instance, &frame(&pixels, width, height, 5, Some(&[])), abi::SUBMIT_KEYFRAME), abi::OK);
    assert_eq!(last().refine_at_ns, 0, "95 is better than the refinement's 90");

    // Another size needs new parameters, which may come at any time.
    let small = vec![9; 64 * 64 * 4];
    let status = submit(instance, &frame(&small, 64, 64, 6, None), 0);
    assert_eq!(abi::class_of(status), abi::CLASS_RECONFIGURE);
    let mut changed = params(64, 64);
    changed.chroma = abi::CHROMA_444;
    changed.refine_quality = abi::UNSET;
    // SAFETY: the instance and the parameters live.
    assert_eq!(unsafe { encoder.configure.unwrap()(instance, &raw const changed) }, abi::OK);
    take();
    assert_eq!(submit(instance, &frame(&small, 64, 64, 7, Some(&[])), 0), abi::OK);
    assert_eq!(last().refine_at_ns, 0, "refinement is off");
    let packets = take();
    assert_eq!(packets.len(), 1);
    assert_eq!(turbojpeg::read_header(&packets[0].1).unwrap().subsamp, turbojpeg::Subsamp::None);

    // A plane that ends early is refused, not read.
    let short = submit(instance, &frame(&small[..64 * 63 * 4], 64, 64, 8, None), 0);
    assert_eq!(abi::class_of(short), abi::CLASS_RETRY);

    // SAFETY: the instance is used no more.
    unsafe {
        assert_eq!(encoder.drain.unwrap()(instance), abi::OK);
        encoder.destroy.unwrap()(instance);
    }
    assert_eq!(state.slabs_out.load(Ordering::Relaxed), 0, "every slab was committed or given back");
    assert_eq!(state.done.lock().unwrap().len(), 6);
}

#[test]
fn what_the_caps_do_not_offer_is_unsupported() {
    let (_, host) = host();
    let create = table::<abi::EncoderV1>(abi::ids::ENCODER_V1).create.unwrap();
    type Change = fn(&mut abi::EncoderParams);
    let changes: [Change; 11] = [
        |params| params.codec = abi::CODEC_H264,
        |params| params.fourcc = abi::FOURCC_NV12,
        |params| params.memory = abi::MEMORY_DMABUF,
        |params| params.chroma = abi::CHROMA_422,
        |params| params.rate = abi::RATE_CBR,
        |params| params.bit_depth = 10,
        |params| params.width = 16385,
        |params| params.quality = 0,
        |params| params.refine_quality = 0,
        |params| params.refine_quality = 101,
        |params| params.out_width = 32,
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut params = params(64, 64);
        change(&mut params);
        let mut instance = std::ptr::null_mut();
        // SAFETY: all arguments live for the call.
        let status = unsafe { create(host, abi::Str::new("{}"), &raw const params, &raw mut instance) };
        assert_eq!(abi::class_of(status), abi::CLASS_RECONFIGURE, "{index}");
        assert_eq!(abi::detail_of(status), abi::DETAIL_UNSUPPORTED, "{index}");
        assert!(instance.is_null());
    }
}
