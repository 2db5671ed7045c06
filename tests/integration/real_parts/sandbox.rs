//! The sandbox refuses what Lambda refuses, asked through the C library by Python, and shows system
//! calls with strace.

use crate::sandbox::{command_prints, commands};
use crate::support::Test;
use crate::support::sandbox::is_available;

/// Python's library calls what the kernel has a name for and the shell has not.
const CALLS: &str = "
import ctypes, errno, socket
library = ctypes.CDLL(None, use_errno=True)
for name, arguments in [('prctl', (15, b'x')), ('prctl', (1, 9)), ('prctl', (36, 1)), ('prctl', \
                     (38, 1, 0, 0, 0)), ('chroot', (b'/',)), ('ptrace', (0,))]:
    print(name, errno.errorcode[ctypes.get_errno()] if getattr(library, name)(*arguments) == -1 \
                     else 'passes')
try:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
except PermissionError:
    print('raw refused')
socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
";

#[test]
fn calls_that_are_refused_fail_with_their_error() {
    if !is_available() {
        return;
    }
    let test = || Test::new().without_foreword().args(["python3", "-c", CALLS]);
    let refused = "prctl EPERM\nprctl EPERM\nprctl EPERM\nprctl EPERM\nchroot EPERM\nptrace \
                   EPERM\nraw refused\n";
    test().stdout(refused).run();
    let test = test().allowing("prctl").refusing("chroot=ENOSYS").refusing("ptrace=EACCES");
    let refused = "prctl passes\nprctl passes\nprctl passes\nprctl passes\nchroot ENOSYS\nptrace \
                   EACCES\nraw refused\n";
    test.stdout(refused).run();
}

#[test]
fn command_of_the_page_with_strace_runs() {
    let (command, stdout) =
        commands().find(|(command, _)| command.contains("strace")).expect("a command");
    command_prints(command, stdout);
}
