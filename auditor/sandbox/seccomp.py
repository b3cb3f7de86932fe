"""Which calls to the kernel a process can still make: none that reaches the network, another process or the machine.

A filter in the kernel's own small language (seccomp with BPF), for all threads and for good. Numbers are those of
Linux's asm/unistd_64.h (x86_64) and asm-generic/unistd.h (aarch64).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

__all__ = ["has_seccomp", "restrict_calls"]

# name, number on x86_64, on aarch64; - where there is none
DENIED = """
socket 41 198, socketpair 53 199, connect 42 203, bind 49 200, listen 50 201, accept 43 202, accept4 288 242,
sendto 44 206, sendmsg 46 211, sendmmsg 307 269,
ptrace 101 117, process_vm_readv 310 270, process_vm_writev 311 271, process_madvise 440 440, kcmp 312 272,
pidfd_open 434 434, pidfd_getfd 438 438, pidfd_send_signal 424 424, move_pages 279 239, migrate_pages 256 238,
rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240, tkill 200 130,
execve 59 221, execveat 322 281, fork 57 -, vfork 58 -,
mount 165 40, umount2 166 39, pivot_root 155 41, chroot 161 51, unshare 272 97, setns 308 268, open_tree 428 428,
move_mount 429 429, fsopen 430 430, fsconfig 431 431, fsmount 432 432, fspick 433 433, mount_setattr 442 442,
chmod 90 -, fchmod 91 52, fchmodat 268 53, fchmodat2 452 452, chown 92 -, fchown 93 55, lchown 94 -, fchownat 260 54,
setxattr 188 5, lsetxattr 189 6, fsetxattr 190 7, removexattr 197 14, lremovexattr 198 15, fremovexattr 199 16,
setxattrat 463 463, removexattrat 466 466, file_setattr 469 469, truncate 76 45, utime 132 -, utimes 235 -,
futimesat 261 -, utimensat 280 88,
keyctl 250 219, add_key 248 217, request_key 249 218, bpf 321 280, perf_event_open 298 241, userfaultfd 323 282,
fanotify_init 300 262, name_to_handle_at 303 264, open_by_handle_at 304 265, io_uring_setup 425 425,
io_uring_enter 426 426, io_uring_register 427 427, memfd_create 319 279, memfd_secret 447 447, personality 135 92,
shmget 29 194, shmat 30 196, msgget 68 186, semget 64 190, mq_open 240 180,
kexec_load 246 104, kexec_file_load 320 294, init_module 175 105, finit_module 313 273, delete_module 176 106,
iopl 172 -, ioperm 173 -, reboot 169 142, swapon 167 224, swapoff 168 225, syslog 103 116, acct 163 89,
quotactl 179 60, quotactl_fd 443 443, sethostname 170 161, setdomainname 171 162, settimeofday 164 170,
clock_settime 227 112, adjtimex 159 171, clock_adjtime 305 266, vhangup 153 58, setrlimit 160 164,
setpriority 141 140, sched_setparam 142 118, sched_setscheduler 144 119, sched_setattr 314 274, ioprio_set 251 30,
inotify_init 253 -, inotify_init1 294 26, inotify_add_watch 254 27, sync 162 81, syncfs 306 267,
statmount 457 457, listmount 458 458, open_tree_attr 467 467
"""
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # the column above; how the kernel calls it
CLONE, CLONE3, KILL, TGKILL, PRLIMIT, SECCOMP = (56, 220), (435, 435), (62, 129), (234, 131), (302, 261), (317, 277)
SCHED_SETAFFINITY, PRCTL, FCNTL = (203, 122), (157, 167), (72, 25)
OF_PARENT = (1, 4)  # of prctl: whether it dies with its parent, and whether others can look into it
SIGNALS_TO = (8, 10, 15)  # of fcntl: whom a file signals, and with what
CLONE_THREAD, X32 = 0x00010000, 0x40000000
LOAD, IF_EQUAL, IF_SET, IF_AT_LEAST, RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
ALLOW, DENY, KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER, ARCHITECTURE, ARGUMENT = 0, 4, 16  # where the filter finds them; an argument has 8 bytes

_libc = ctypes.CDLL(None, use_errno=True)
_Step = tuple[int, int, int, int]  # what to do, how far to jump if so, if not, and with what


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_void_p))


def has_seccomp() -> bool:
    """Whether this kernel filters calls, on an architecture whose numbers are known."""
    if platform.machine() not in MACHINES or platform.system() != "Linux":
        return False
    column, _ = MACHINES[platform.machine()]
    action = ctypes.c_uint32(KILL_PROCESS)
    return int(_libc.syscall(SECCOMP[column], 2, 0, ctypes.byref(action))) == 0


def restrict_calls() -> None:
    """Deny the calls of DENIED to every thread of this process for good; OSError where the kernel cannot."""
    steps = b"".join(struct.pack("HBBI", *step) for step in _filter())
    buffer = ctypes.create_string_buffer(steps, len(steps))
    program = _Program(len(steps) // 8, ctypes.addressof(buffer))
    column, _ = MACHINES[platform.machine()]
    if _libc.syscall(SECCOMP[column], 1, 1, ctypes.byref(program)):
        code = ctypes.get_errno()
        raise OSError(code, f"seccomp: {os.strerror(code)}")


def _filter() -> list[_Step]:
    column, name = MACHINES[platform.machine()]
    steps: list[_Step] = [
        (LOAD, 0, 0, ARCHITECTURE), (IF_EQUAL, 1, 0, name), (RETURN, 0, 0, KILL_PROCESS), (LOAD, 0, 0, NUMBER),
    ]  # fmt: skip
    if column == 0:  # the third way to call a 64-bit kernel has numbers of its own
        steps += [(IF_AT_LEAST, 0, 1, X32), (RETURN, 0, 0, DENY | errno.EPERM)]
    for line in DENIED.replace("\n", " ").split(","):
        number = line.split()[1 + column]
        if number != "-":
            steps += [(IF_EQUAL, 0, 1, int(number)), (RETURN, 0, 0, DENY | errno.EPERM)]
    # the C library falls back to clone, whose flags a filter can read
    steps += [(IF_EQUAL, 0, 1, CLONE3[column]), (RETURN, 0, 0, DENY | errno.ENOSYS)]
    steps += _only_if(CLONE[column], 0, IF_SET, CLONE_THREAD)
    for call in (KILL, TGKILL):  # signals to itself: abort() sends one
        steps += _only_if(call[column], 0, IF_EQUAL, os.getpid())
    steps += _only_if(PRLIMIT[column], 2, IF_EQUAL, 0)  # limits may be read and not changed; an address has two halves
    steps += _only_if(PRLIMIT[column], 2, IF_EQUAL, 0, half=4)
    steps += _only_if(SCHED_SETAFFINITY[column], 0, IF_EQUAL, 0)  # its own
    for call, argument, values in ((PRCTL, 0, OF_PARENT), (FCNTL, 1, SIGNALS_TO)):
        for value in values:
            steps += _never_if(call[column], argument, value)
    return [*steps, (RETURN, 0, 0, ALLOW)]


def _never_if(call: int, argument: int, value: int) -> list[_Step]:
    """Deny `call` where the low half of its `argument` is `value`."""
    return [
        (IF_EQUAL, 0, 4, call),
        (LOAD, 0, 0, ARGUMENT + 8 * argument),
        (IF_EQUAL, 0, 1, value),
        (RETURN, 0, 0, DENY | errno.EPERM),
        (LOAD, 0, 0, NUMBER),
    ]


def _only_if(call: int, argument: int, test: int, value: int, half: int = 0) -> list[_Step]:
    """Deny `call` unless that half of its `argument` (0 the low, 4 the high one) passes `test`.

    The number is loaded again behind it.
    """
    return [
        (IF_EQUAL, 0, 4, call),
        (LOAD, 0, 0, ARGUMENT + 8 * argument + half),
        (test, 1, 0, value),
        (RETURN, 0, 0, DENY | errno.EPERM),
        (LOAD, 0, 0, NUMBER),
    ]
