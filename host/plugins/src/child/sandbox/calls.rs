//! System calls: seccomp.
//!
//! What is listed here is forbidden and everything else allowed: a list of what codecs, drivers and C libraries may call
//! would have to be right for every version of each. What the list is for: no other programs, no other processes, no
//! network, and none of the parts of the kernel that a plugin has no use for and attackers do.

use std::collections::BTreeMap;

use rustix::process::getpid;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter_all_threads,
};

use super::profile::{Processes, Profile};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Parts of the kernel for administrators and debuggers, never for plugins.
const NEVER: &[i64] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    // Its operations pass by this filter.
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_nfsservctl,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

/// Into other processes.
const PROCESS_ACCESS: &[i64] = &[libc::SYS_process_vm_readv, libc::SYS_process_vm_writev, libc::SYS_ptrace];

/// New programs and processes, beside `clone`.
#[cfg(target_arch = "x86_64")]
const PROCESS_START: &[i64] = &[libc::SYS_execve, libc::SYS_execveat, libc::SYS_fork, libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
const PROCESS_START: &[i64] = &[libc::SYS_execve, libc::SYS_execveat];

/// Who may open a file: with another mode, what the child was given for reading could be opened for writing.
const FILE_MODES: &[i64] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    SYS_FCHMODAT2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    // Access lists are attributes.
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    SYS_SETXATTRAT,
];

// Of asm-generic/unistd.h; the same on every architecture.
const SYS_FCHMODAT2: i64 = 452;
const SYS_SETXATTRAT: i64 = 463;

/// Signals to a process that is named by its first argument.
const SIGNALS: &[i64] =
    &[libc::SYS_kill, libc::SYS_tgkill, libc::SYS_rt_sigqueueinfo, libc::SYS_rt_tgsigqueueinfo];

/// Signals to what cannot be compared with a number.
const OTHER_SIGNALS: &[i64] = &[libc::SYS_tkill, libc::SYS_pidfd_send_signal];

pub(super) fn restrict(profile: &Profile) -> Option<String> {
    let programs = match programs(profile) {
        Ok(programs) => programs,
        Err(error) => return Some(format!("the plugin runs without a filter of system calls: {error}")),
    };
    // The kernel obeys the strictest answer of all filters.
    programs.iter().find_map(|program| {
        let error = apply_filter_all_threads(program).err()?;
        Some(format!("this kernel takes no filter of system calls, the plugin runs without: {error}"))
    })
}

/// One filter per answer that a forbidden call gets.
fn programs(profile: &Profile) -> Result<Vec<BpfProgram>, BackendError> {
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let mut kill = Rules::new();
    let mut refuse: Rules = NEVER.iter().map(|call| (*call, Vec::new())).collect();
    let start: Rules = PROCESS_START
        .iter()
        .map(|call| Ok((*call, Vec::new())))
        .chain([clone_with(libc::CLONE_THREAD, 0).map(|rule| (libc::SYS_clone, vec![rule]))])
        .collect::<Result<_, BackendError>>()?;
    let access = PROCESS_ACCESS.iter().map(|call| (*call, Vec::new()));
    match profile.processes {
        Processes::Killed => {
            kill.extend(start);
            kill.extend(access);
            refuse.extend(FILE_MODES.iter().map(|call| (*call, Vec::new())));
        }
        Processes::Refused => {
            refuse.extend(start);
            refuse.extend(access);
        }
        Processes::Allowed => {
            refuse.extend(access);
            // In a user namespace it would be root, to some parts of the kernel.
            refuse.insert(libc::SYS_clone, vec![clone_with(libc::CLONE_NEWUSER, libc::CLONE_NEWUSER)?]);
        }
    }
    let own = getpid().as_raw_nonzero().get().unsigned_abs();
    if profile.processes != Processes::Allowed {
        for call in SIGNALS {
            refuse.insert(*call, vec![SeccompRule::new(vec![differs(0, own)?])?]);
        }
        refuse.extend(OTHER_SIGNALS.iter().map(|call| (*call, Vec::new())));
        // Limits and priorities of other processes; 0 is the caller.
        let others = vec![differs(0, 0)?, differs(0, own)?];
        refuse.insert(libc::SYS_prlimit64, vec![SeccompRule::new(others)?]);
    }
    // Its flags are in memory, where no filter can look. C libraries know kernels without it and use `clone`.
    let missing = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let clone3 = Rules::from([(libc::SYS_clone3, Vec::new())]);
    // What `socket` itself says of sockets that are not for everyone.
    let closed = SeccompAction::Errno(libc::EACCES.unsigned_abs());
    let mut programs =
        vec![program(refuse, refused)?, program(sockets(profile)?, closed)?, program(clone3, missing)?];
    if !kill.is_empty() {
        programs.push(program(kill, SeccompAction::KillProcess)?);
    }
    #[cfg(target_arch = "x86_64")]
    programs.push(no_x32());
    Ok(programs)
}

/// The type of a socket without its flags (`SOCK_TYPE_MASK` of the kernel's include/linux/net.h).
const SOCKET_TYPE: u32 = 0xf;

/// Sockets that a child cannot make. The families that no profile names are ways into rarely used parts of the kernel.
fn sockets(profile: &Profile) -> Result<Rules, BackendError> {
    let mut families = Vec::new();
    if profile.services {
        families.push(libc::AF_UNIX);
    }
    if profile.network {
        // Names of interfaces come by netlink.
        families.extend([libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK]);
    }
    let others: Vec<SeccompCondition> =
        families.iter().map(|family| differs(0, family.unsigned_abs())).collect::<Result<_, _>>()?;
    // Without a rule the call is forbidden whatever its arguments are.
    let rules = if others.is_empty() { Vec::new() } else { vec![SeccompRule::new(others)?] };
    let mut sockets = Rules::from([(libc::SYS_socket, rules)]);
    if !profile.services {
        // Pairs have no other family, and those of datagrams can be connected to a service after all. Runtimes wake
        // themselves by a pair of streams.
        let rules = (0..=SOCKET_TYPE).filter(|&kind| kind != libc::SOCK_STREAM.unsigned_abs());
        let rules = rules.map(|kind| SeccompRule::new(vec![masked(1, SOCKET_TYPE, kind)?]));
        sockets.insert(libc::SYS_socketpair, rules.collect::<Result<_, _>>()?);
    }
    if !profile.services && !profile.network {
        // Nor is anything done with a socket that the host passed but to talk to the host.
        let calls =
            [libc::SYS_connect, libc::SYS_bind, libc::SYS_listen, libc::SYS_accept, libc::SYS_accept4];
        sockets.extend(calls.map(|call| (call, Vec::new())));
    }
    Ok(sockets)
}

/// A program that answers `action` to what is in `rules`. Calls of another architecture (32-bit ones) end the process.
fn program(rules: Rules, action: SeccompAction) -> Result<BpfProgram, BackendError> {
    let architecture = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Allow, action, architecture)?.try_into()
}

/// `clone` whose flags under `mask` are `flags`.
fn clone_with(mask: i32, flags: i32) -> Result<SeccompRule, BackendError> {
    let [mask, flags] = [mask, flags].map(|bits| u64::from(bits.unsigned_abs()));
    let equals = SeccompCmpOp::MaskedEq(mask);
    SeccompRule::new(vec![SeccompCondition::new(0, SeccompCmpArgLen::Qword, equals, flags)?])
}

/// The argument is not `value`.
fn masked(argument: u8, mask: u32, value: u32) -> Result<SeccompCondition, BackendError> {
    let operation = SeccompCmpOp::MaskedEq(u64::from(mask));
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operation, u64::from(value))
}

fn differs(argument: u8, value: u32) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, u64::from(value))
}

/// The x32 calls have the same architecture as the usual ones and other numbers, so that no list names them.
#[cfg(target_arch = "x86_64")]
fn no_x32() -> BpfProgram {
    use seccompiler::sock_filter;

    const FIRST: u32 = 0x4000_0000; // __X32_SYSCALL_BIT of asm/unistd.h
    // Of linux/bpf_common.h.
    const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    const JUMP_IF_NOT_LESS: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
    const ANSWER: u16 = 0x06; // BPF_RET | BPF_K
    let step = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    vec![
        step(LOAD, 0, 0, 0), // the call's number
        step(JUMP_IF_NOT_LESS, 0, 1, FIRST),
        step(ANSWER, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs()),
        step(ANSWER, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_compiles_and_is_small() -> Result<(), BackendError> {
        for processes in [Processes::Killed, Processes::Refused, Processes::Allowed] {
            for (network, services) in [(false, false), (false, true), (true, false), (true, true)] {
                let profile = Profile { processes, network, services, ..Profile::default() };
                let programs = programs(&profile)?;
                assert!(programs.iter().all(|program| (3..1000).contains(&program.len())));
                let kills = processes == Processes::Killed;
                assert_eq!(
                    programs.len(),
                    3 + usize::from(kills) + usize::from(cfg!(target_arch = "x86_64"))
                );
            }
        }
        Ok(())
    }
}
