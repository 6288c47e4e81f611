//! Whose init this is: what tini, dumb-init and catatonit differ in.
//!
//! A program's help is also the table of its options (`options::find` reads it),
//! so that it cannot say what is not so. Where a letter is in two of them it means
//! the same in both. NUL stands for the name that the program was called by.

use super::{TSTP, TTIN, TTOU, bit};
use crate::sys::Errno;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Tini,
    DumbInit,
    Catatonit,
    /// Under its own name.
    Corm,
}

impl Kind {
    /// By the program's name, maybe with a path; docker-init is tini.
    pub fn by_name(name: &[u8]) -> Option<Kind> {
        match base(name) {
            b"tini" | b"tini-static" | b"docker-init" => Some(Kind::Tini),
            b"dumb-init" => Some(Kind::DumbInit),
            b"catatonit" => Some(Kind::Catatonit),
            OWN_NAME => Some(Kind::Corm),
            _ => None,
        }
    }

    pub(super) fn help(self) -> &'static str {
        match self {
            Kind::Tini => TINI,
            Kind::DumbInit => DUMB_INIT,
            Kind::Catatonit => CATATONIT,
            Kind::Corm => HELP,
        }
    }

    /// The versions that corm behaves as; Docker wants to read "tini version" of both.
    pub(super) fn version(self) -> &'static str {
        match self {
            Kind::Tini => "tini version 0.19.0\n",
            Kind::DumbInit => "dumb-init v1.2.5\n",
            Kind::Catatonit => "tini version 0.1.7_catatonit\n",
            Kind::Corm => concat!("corm ", env!("CARGO_PKG_VERSION"), "\n"),
        }
    }

    /// What the environment can ask for: a letter of [`Init::read_environment`],
    /// and what the variable begins with. dumb-init's must be exactly that.
    pub(super) fn environment(self) -> &'static str {
        match self {
            Kind::Tini => "sTINI_SUBREAPER=\ngTINI_KILL_PROCESS_GROUP=\n#TINI_VERBOSITY=",
            Kind::DumbInit => "vDUMB_INIT_DEBUG=1\ncDUMB_INIT_SETSID=0",
            Kind::Catatonit => "vCATATONIT_DEBUG=\n!CATATONIT_LOG=",
            Kind::Corm => "",
        }
    }

    /// Signals that are not waited for: they say that we ourselves are broken.
    pub(super) fn own_signals(self) -> u64 {
        const BROKEN: [i32; 7] = [
            libc::SIGILL,
            libc::SIGTRAP,
            libc::SIGABRT,
            libc::SIGBUS,
            libc::SIGFPE,
            libc::SIGSEGV,
            libc::SIGSYS,
        ];
        const MASK: u64 = {
            let (mut mask, mut index) = (0, 0);
            while index < BROKEN.len() {
                mask |= 1 << (BROKEN[index] - 1);
                index += 1;
            }
            mask
        };
        if self == Kind::DumbInit { 0 } else { MASK }
    }

    /// Signals that are waited for and then forgotten.
    pub(super) fn drops(self, signal: u8) -> bool {
        let from_terminal = bit(TTIN) | bit(TTOU);
        let dropped = match self {
            Kind::DumbInit => 0,
            Kind::Catatonit => from_terminal | bit(TSTP),
            Kind::Tini | Kind::Corm => from_terminal,
        };
        dropped & bit(signal) != 0
    }

    /// The status for options that make no sense.
    pub(super) fn misused(self) -> u8 {
        if self == Kind::Corm { crate::control::exit::USAGE } else { 1 }
    }

    /// The status for a program that cannot be executed.
    pub(super) fn exec_failed(self, why: Errno) -> u8 {
        match self {
            Kind::DumbInit => 2,
            Kind::Catatonit => 1,
            Kind::Tini | Kind::Corm => match why {
                Errno::ENOENT => 127,
                Errno::EACCES => 126,
                _ if self == Kind::Corm => 126,
                _ => 1,
            },
        }
    }
}

/// Under this name corm is `corm init`: as which a workload with `init = true` has it.
const OWN_NAME: &[u8] = b"corm-init";

/// A path's last component.
pub(super) fn base(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// When tini cannot do its job.
pub(super) const WARNING: &str = "\
Tini is not running as PID 1 and isn't registered as a child subreaper.
Zombie processes will not be re-parented to Tini, so zombie reaping won't work.
To fix the problem, use the -s option or set the environment variable TINI_SUBREAPER \
to register Tini as a child subreaper, or run Tini as PID 1.";

pub(super) const DUMB_INIT_USAGE: &str = "Usage: \0 [option] program [args]\nTry \0 --help for full usage.\n";

pub(super) const REWRITE_USAGE: &str = "\
Usage: -r option takes <signum>:<signum>, where <signum> is between 1 and 31.
This option can be specified multiple times.
Use --help for full usage.
";

const TINI: &str = "\
\0 (tini version 0.19.0)
Usage: \0 [OPTIONS] PROGRAM -- [ARGS] | --version

Execute a program under the supervision of a valid init process (\0)

Command line options:

  --version: Show version and exit.
  -h: Show this help message and exit.
  -s: Register as a process subreaper (requires Linux >= 3.4).
  -p SIGNAL: Trigger SIGNAL when parent dies, e.g. \"-p SIGKILL\".
  -v: Generate more verbose output. Repeat up to 3 times.
  -w: Print a warning when processes are getting reaped.
  -g: Send signals to the child's process group.
  -e EXIT_CODE: Remap EXIT_CODE (from 0 to 255) to 0.
  -l: Show license and exit.

Environment variables:

  TINI_SUBREAPER: Register as a process subreaper (requires Linux >= 3.4).
  TINI_VERBOSITY: Set the verbosity level (default: 1).
  TINI_KILL_PROCESS_GROUP: Send signals to the child's process group.

";

const DUMB_INIT: &str = "\
dumb-init v1.2.5
Usage: \0 [option] command [[arg] ...]

dumb-init is a simple process supervisor that forwards signals to children.
It is designed to run as PID1 in minimal container environments.

Optional arguments:
   -c, --single-child   Run in single-child mode.
                        In this mode, signals are only proxied to the
                        direct child and not any of its descendants.
   -r, --rewrite s:r    Rewrite received signal s to new signal r before proxying.
                        To ignore (not proxy) a signal, rewrite it to 0.
                        This option can be specified multiple times.
   -v, --verbose        Print debugging information to stderr.
   -h, --help           Print this help message and exit.
   -V, --version        Print the current version and exit.

Full help is available online at https://github.com/Yelp/dumb-init
";

const CATATONIT: &str = "\
usage: catatonit [-ghLPV] [--] <progname> [<arguments>...]

options:
  -g              Send signals to the child's process group.
  -h              Show this help.
  -L              Show the license.
  -P              Run no program, pause until SIGINT or SIGTERM.
  -V, --version   Show the version.
";

/// corm's own.
const HELP: &str = "\
usage: corm init [OPTION...] [--] PROGRAM [ARGUMENT...]

Runs PROGRAM as a container's PID 1 does: passes signals on to it, reaps
everything, ends with its status (128+N for signal N; 127: not found,
126: cannot be run). Elsewhere than as PID 1 it adopts its orphans.

PROGRAM has a process group of its own, and signals go to it alone, except:

  -g, --group                signals go to its whole process group
  -S, --session              so they do, and it has a session, with our terminal
  -c, --single-child         it stays in our group and session; not with -g, -S
  -r, --rewrite SIGNAL:NEW   send NEW for SIGNAL; 0 is none
  -k, --grace TIME           10s: when it ends, or this long after SIGTERM,
                             everybody else gets SIGTERM, then SIGKILL
  -e, --success STATUS       end with 0 instead of STATUS
  -p, --parent-death SIGNAL  what to get when our parent dies
  -P, --pause                run nothing until SIGTERM or SIGINT
  -i, --env-clear            run it without our environment
  -u, --user UID[:GID]       run it as somebody else
  -n, --no-new-privs         it cannot gain rights by execve
  -l, --rlimit NAME=N[:HARD] limit it, as in nofile=1024:4096
  -w, --warn-reaped          tell of each orphan reaped
  -v, --verbose              tell of everything
  -h, --help
  -V, --version
";
