//! The process's environment: what plugins read of it (DISPLAY, XAUTHORITY), and whether it may be believed.

use std::ffi::{OsStr, OsString};

/// Sets a variable of this process, for plugins and children.
///
/// Only for the start of the program: other threads must not run yet, because C code may read the environment without
/// a lock. With more threads than the caller's nothing is set and the answer is false.
pub fn set(name: &str, value: &OsStr) -> bool {
    let threads = std::fs::read_dir("/proc/self/task").map_or(usize::MAX, Iterator::count);
    if threads != 1 {
        return false;
    }
    // SAFETY: this is the only thread, so nobody reads the environment meanwhile.
    unsafe { std::env::set_var(name, value) };
    true
}

/// True when this process has more rights than whoever started it: setuid, setgid, file capabilities. The environment is
/// then written by somebody whom this process must not obey.
#[must_use]
pub fn privileged() -> bool {
    use rustix::process::{getegid, geteuid, getgid, getuid};
    // SAFETY: getauxval reads the vector that the kernel gave the process, and has no other effect.
    let secure = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    raised((getuid().as_raw(), geteuid().as_raw()), (getgid().as_raw(), getegid().as_raw()), secure)
}

/// Judges real and effective ids, and the kernel's own word (`AT_SECURE`).
fn raised(user: (u32, u32), group: (u32, u32), secure: bool) -> bool {
    user.0 != user.1 || group.0 != group.1 || secure
}

/// The value of a variable that says which code runs or where the host keeps its state: nothing when [`privileged`].
#[must_use]
pub fn trusted_variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|_| !privileged())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sign_of_borrowed_rights_counts() {
        assert!(!raised((1000, 1000), (1000, 1000), false));
        assert!(!raised((0, 0), (0, 0), false));
        assert!(raised((1000, 0), (1000, 1000), false), "setuid");
        assert!(raised((1000, 1000), (1000, 44), false), "setgid");
        assert!(raised((1000, 1000), (1000, 1000), true), "file capabilities");
    }

    #[test]
    fn a_test_has_no_borrowed_rights() {
        assert!(!privileged());
        assert!(trusted_variable("PATH").is_some());
    }
}
