//! The child, between its birth and its program. It shares its parent's memory
//! (`sys::children::spawn`) and changes nothing in it but the arguments.

use super::options::{self, Options};
use super::say::Level;
use super::{CHLD, Init, Kind, Place, TSTP, TTIN, TTOU, bit};
use crate::limits;
use crate::put;
use crate::sys::{BorrowedFd, Errno, credentials, event, process, tty};
use crate::text::{Sink, Text, has};
use core::ffi::CStr;

impl Init {
    /// Gives back a status for what went wrong. `mask` and `ignored` are the
    /// signal mask and SIGCHLD as we were given them.
    pub(super) fn child(&self, mask: u64, ignored: bool) -> u8 {
        // A new process can always have a group and a session of its own.
        match self.place() {
            Place::Group => {
                let parent = if self.terminal.is_there() { process::group() } else { 0 };
                let _ = process::new_group();
                // catatonit's program, in which TTIN is blocked, would not stop and wait for it.
                if self.terminal.is_there() {
                    let own = process::id();
                    if self.kind == Kind::Catatonit {
                        self.terminal.seize(own);
                    } else {
                        self.terminal.take(parent, own);
                    }
                }
            }
            Place::Session => {
                let _ = process::new_session();
                if let Err(errno) = tty::attach(BorrowedFd::STDIN) {
                    let text = "\x01Unable to attach to controlling tty (errno=\x02 \x05).";
                    self.say(Level::Debug, text, errno.raw().into(), 0);
                }
                self.say(Level::Debug, "\x01setsid complete.", 0, 0);
            }
            Place::Same => {}
        }
        if ignored {
            process::ignore(CHLD, true);
        }
        // There is nothing that could be wrong with a mask.
        let _ = event::replace_mask(match self.kind {
            Kind::DumbInit => 0,
            Kind::Catatonit => mask | bit(TSTP) | bit(TTIN) | bit(TTOU),
            Kind::Tini | Kind::Corm => mask,
        });
        if self.kind == Kind::Corm
            && let Err((what, errno)) = self.confine()
        {
            self.say(Level::Fatal, what, errno.raw().into(), 0);
            return self.kind.exec_failed(errno);
        }
        let Some(name) = self.args.get(self.program) else { return 1 };
        let mut listen = Text::<{ limits::PATH }>::new();
        if matches!(self.kind, Kind::Catatonit | Kind::Corm) {
            self.rewrite_listen_pid(&mut listen);
        }
        let why = self.search(name);
        let text = if self.kind == Kind::Catatonit {
            "failed to exec pid1: \x05"
        } else {
            "exec \x06 failed: \x05\x01\x06: \x05"
        };
        self.say(Level::Fatal, text, why.raw().into(), 0);
        self.kind.exec_failed(why)
    }

    /// What only corm's own options ask for.
    fn confine(&self) -> Result<(), (&'static str, Errno)> {
        // The limits are still where they were written; they were looked at once already.
        let mut options = Options::new(self.kind, self.args);
        while let Some((letter, value)) = options.next() {
            if letter == b'l'
                && let Some((resource, soft, hard)) = options::limit(value)
            {
                process::set_limits(process::SELF, resource, soft, hard)
                    .map_err(|errno| ("cannot set its limits: \x05", errno))?;
            }
        }
        if let Some((uid, gid)) = self.user {
            credentials::clear_groups()
                .and_then(|()| credentials::set_gid(gid))
                .and_then(|()| credentials::set_uid(uid))
                .map_err(|errno| ("cannot become another user: \x05", errno))?;
        }
        if self.has(b'n') {
            credentials::set_no_new_privileges().map_err(|errno| ("cannot set no_new_privs: \x05", errno))?;
        }
        Ok(())
    }

    /// systemd's socket activation names the process that the sockets are for:
    /// if that was us, it is the child now.
    fn rewrite_listen_pid(&self, text: &mut Text<{ limits::PATH }>) {
        if let Some((index, value)) = options::variable(self.args, b"LISTEN_PID=")
            && options::number(value).is_some_and(|(pid, _)| pid == i64::from(self.pid))
        {
            put!(*text, "LISTEN_PID=", process::id());
            if let Some(text) = text.as_c_str() {
                self.args.set_variable(index, text);
            }
        }
    }

    /// As execvp(3) looks for a program.
    fn search(&self, name: &CStr) -> Errno {
        if has(name.to_bytes(), b'/') || name.is_empty() {
            return self.execute(name);
        }
        // What glibc takes where there is none.
        let path =
            options::variable(self.args, b"PATH=").map_or(b"/bin:/usr/bin".as_slice(), |(_, path)| path);
        let mut why = Errno::ENOENT;
        for directory in path.split(|byte| *byte == b':') {
            let mut file = Text::<{ limits::PATH }>::new();
            file.put(directory);
            if !directory.is_empty() {
                file.put(b"/");
            }
            file.put(name.to_bytes());
            let Some(file) = file.as_c_str() else { return Errno::ENAMETOOLONG };
            match self.execute(file) {
                // In none of these directories, as far as we know.
                Errno::ENOENT | Errno::ENOTDIR | Errno::ESTALE | Errno::ENODEV | Errno::ETIMEDOUT => {}
                Errno::EACCES => why = Errno::EACCES,
                other => return other,
            }
        }
        why
    }

    fn execute(&self, file: &CStr) -> Errno {
        let environment = !self.has(b'i');
        let why = process::execute_arguments(file, self.args, self.program, environment);
        if why != Errno::ENOEXEC {
            return why;
        }
        // A script without "#!" is the shell's. There is an argument in front of the program's
        // name: our own.
        let shell = self.program.saturating_sub(1);
        self.args.set(shell, c"/bin/sh");
        self.args.set(self.program, file);
        process::execute_arguments(c"/bin/sh", self.args, shell, environment)
    }
}
