//! A shell for a person at the console: no walls, no cgroup, no plan.

use super::environment;
use super::spawn::PlanSpace;
use crate::config::Config;
use crate::limits;
use crate::sys::children::{self, Side};
use crate::sys::fs::{self, Follow, Open};
use crate::sys::process::{self, Pointers};
use crate::sys::{BorrowedFd, Errno, OwnedFd, event, fd, tty};
use core::ffi::CStr;

const SHELL: &CStr = c"/bin/sh";

/// Starts `[system] rescue`, or /bin/sh, on /dev/console, as root. Returns its pid.
pub fn spawn_rescue(config: &Config, space: &mut PlanSpace) -> Result<u32, Errno> {
    let mut arguments = Pointers::<{ limits::ARGUMENTS }>::new();
    let words = config.words(config.system.rescue);
    let program = words.first().map_or(SHELL, |word| config.c_str(*word));
    let mut all = words.iter().map(|word| config.c_str(*word));
    if words.is_empty() && !arguments.push(SHELL) || !all.all(|word| arguments.push(word)) {
        return Err(Errno::E2BIG);
    }
    // Asked now, since the child has no way to say so.
    fs::stat(BorrowedFd::CWD, program, Follow::Yes)?;
    let console = fs::open(BorrowedFd::CWD, c"/dev/console", Open::READ_WRITE | Open::NO_CTTY)?;
    environment::fill_for_rescue(&mut space.environment);
    match children::fork()? {
        Side::Parent(pid) => Ok(pid),
        Side::Child => {
            /// What a shell says of a command that cannot be executed.
            const NOT_EXECUTED: u8 = 126;
            // Every failure ends here: init starts it again, and says that it ended.
            let _ = become_shell(&console, program, &arguments, &space.environment);
            process::exit(NOT_EXECUTED)
        }
    }
}

fn become_shell<const N: usize>(
    console: &OwnedFd,
    program: &CStr,
    arguments: &Pointers<N>,
    environment: &environment::Block,
) -> Result<(), Errno> {
    process::new_session()?;
    // Before 0 to 2 change: `console` may be one of them on a machine that lost its own.
    let console = console.borrow().duplicate()?;
    for number in 0..=2 {
        console.borrow().duplicate_onto(number)?;
    }
    // Without job control it is still a shell.
    let _ = process::set_controlling_terminal(BorrowedFd::STDIN);
    // A workload that had this console may have typed into it (TIOCSTI). Now that it is ours it
    // cannot any more, and what it has typed is not to be the first command. ENOTTY: nobody types.
    let _ = tty::forget_input(BorrowedFd::STDIN);
    fd::close_on_exec_from(3)?;
    event::unblock_all_signals()?;
    let mut variables = Pointers::<{ limits::ENVIRONMENT_WORDS }>::new();
    if environment::strings(environment).all(|string| variables.push(string)) {
        return Err(process::execute(program, arguments, &variables));
    }
    Err(Errno::E2BIG)
}
