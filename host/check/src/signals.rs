//! The last words of a child that a signal ends.

use std::sync::atomic::{AtomicI32, Ordering};

use crate::{call, fence};

const FATAL: [i32; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT];
const STACK_BYTES: usize = 64 * 1024;

static JOURNAL: AtomicI32 = AtomicI32::new(-1);

/// Makes fatal signals leave a line in the journal `descriptor`, and then end the process as they do.
pub(crate) fn install(descriptor: i32) {
    JOURNAL.store(descriptor, Ordering::Relaxed);
    // A stack of its own: the plugin may have used up the usual one.
    let stack = libc::stack_t {
        ss_sp: Box::leak(vec![0_u8; STACK_BYTES].into_boxed_slice()).as_mut_ptr().cast(),
        ss_flags: 0,
        ss_size: STACK_BYTES,
    };
    // SAFETY: the stack lives for ever.
    unsafe { libc::sigaltstack(&raw const stack, std::ptr::null_mut()) };
    for signal in FATAL {
        // SAFETY: zeros are a valid `sigaction`; the handler calls only what is safe in one.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction =
                on_signal as extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESETHAND;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}

/// Text that is put together without memory of the heap.
struct Line {
    bytes: [u8; 256],
    len: usize,
}

impl Line {
    fn add(&mut self, text: &[u8]) {
        for &byte in text {
            if let Some(place) = self.bytes.get_mut(self.len) {
                *place = byte;
                self.len += 1;
            }
        }
    }
}

extern "C" fn on_signal(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let digits =
        [b'0' + u8::try_from(signal / 10 % 10).unwrap_or(0), b'0' + u8::try_from(signal % 10).unwrap_or(0)];
    // A leading zero is no JSON number.
    let digits = if digits[0] == b'0' { &digits[1..] } else { &digits[..] };
    let mut address = 0;
    if signal == libc::SIGSEGV || signal == libc::SIGBUS {
        // SAFETY: the system passes a valid record, and faults have an address.
        address = unsafe { (*info).si_addr() }.addr();
    }
    let rule = fence::rule_at(address).map_or("", |rule| rule.id);
    let mut line = Line { bytes: [0; 256], len: 0 };
    line.add(b"{\"kind\":\"signal\",\"signal\":");
    line.add(digits);
    line.add(b",\"call\":\"");
    line.add(call::current_name().as_bytes());
    line.add(b"\",\"rule\":\"");
    line.add(rule.as_bytes());
    line.add(b"\"}\n");
    // SAFETY: `write` is safe in a handler; the line is ours.
    unsafe { libc::write(JOURNAL.load(Ordering::Relaxed), line.bytes.as_ptr().cast(), line.len) };
    // The handler is gone (SA_RESETHAND): the faulting instruction runs again and ends the process. A signal that was
    // sent and not caused does not come again by itself.
    // SAFETY: as above.
    unsafe { libc::raise(signal) };
}
