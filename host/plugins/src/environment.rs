//! The process's environment, which plugins read: DISPLAY, XAUTHORITY.

/// Sets a variable of this process, for plugins and children.
///
/// Only for the start of the program: other threads must not run yet, because C code may read the environment without
/// a lock. With more threads than the caller's nothing is set and the answer is false.
pub fn set(name: &str, value: &std::ffi::OsStr) -> bool {
    let threads = std::fs::read_dir("/proc/self/task").map_or(usize::MAX, Iterator::count);
    if threads != 1 {
        return false;
    }
    // SAFETY: this is the only thread, so nobody reads the environment meanwhile.
    unsafe { std::env::set_var(name, value) };
    true
}
