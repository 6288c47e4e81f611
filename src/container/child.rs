//! The child, between its birth and its program. It shares its parent's memory
//! (`sys::children::spawn`) and changes nothing in it but the arguments.

use super::options::Options;
use super::say::{Level, Reason, say};
use super::{CHLD, Init, Kind, TSTP, TTIN, TTOU, bit, options};
use crate::limits;
use crate::put;
use crate::sys::{BorrowedFd, Errno, credentials, event, process, tty};
use crate::text::{Sink, Text};
use core::ffi::CStr;

/// Where the child lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// In its own process group, the terminal's foreground one.
    Group,
    /// In its own session, with the terminal if it can be had.
    Session,
    /// With us.
    Same,
}

impl Init {
    /// Returns only with a status for what went wrong. `mask` and `ignored` are
    /// the signal mask and SIGCHLD as we were given them.
    pub(super) fn child(&self, mask: u64, ignored: bool) -> u8 {
        let kind = self.settings.kind;
        match self.enter(mask, ignored) {
            Err((what, errno)) => {
                say!(
                    self.settings,
                    Level::Fatal,
                    what,
                    " failed: ",
                    Reason(errno),
                    "\x01Unable to ",
                    what,
                    " (errno=",
                    errno.raw(),
                    " ",
                    Reason(errno),
                    "). Exiting."
                );
                kind.trouble()
            }
            Ok(()) => self.execute(),
        }
    }

    fn enter(&self, mask: u64, ignored: bool) -> Result<(), (&'static str, Errno)> {
        let settings = &self.settings;
        match settings.place {
            Place::Group => {
                let parent = process::group();
                process::new_group().map_err(|errno| ("setpgid", errno))?;
                self.terminal.take(parent, process::id());
            }
            Place::Session => {
                process::new_session().map_err(|errno| ("setsid", errno))?;
                if let Err(errno) = tty::attach(BorrowedFd::STDIN) {
                    say!(
                        self.settings,
                        Level::Debug,
                        "\x01Unable to attach to controlling tty (errno=",
                        errno.raw(),
                        " ",
                        Reason(errno),
                        ")."
                    );
                }
                say!(self.settings, Level::Debug, "\x01setsid complete.");
            }
            Place::Same => {}
        }
        if ignored {
            process::ignore(CHLD, true);
        }
        let mask = match settings.kind {
            Kind::DumbInit => 0,
            Kind::Catatonit => mask | bit(TSTP) | bit(TTIN) | bit(TTOU),
            _ => mask,
        };
        event::replace_mask(mask).map_err(|errno| ("sigprocmask", errno))?;
        if settings.kind == Kind::Corm {
            self.confine()?;
        }
        Ok(())
    }

    /// What only corm's own options ask for.
    fn confine(&self) -> Result<(), (&'static str, Errno)> {
        let settings = &self.settings;
        // The limits are still where they were written; they were looked at once already.
        let mut options = Options::new(settings.kind, self.args);
        while let Ok(Some((letter, value))) = options.next() {
            if letter == options::LIMIT
                && let Some((resource, soft, hard)) = options::limit(value)
            {
                process::set_limits(resource, soft, hard).map_err(|errno| ("prlimit", errno))?;
            }
        }
        if let Some((uid, gid)) = settings.user {
            credentials::clear_groups()
                .and_then(|()| credentials::set_gid(gid))
                .and_then(|()| credentials::set_uid(uid))
                .map_err(|errno| ("setuid", errno))?;
        }
        if settings.no_new_privileges {
            credentials::set_no_new_privileges().map_err(|errno| ("no_new_privs", errno))?;
        }
        Ok(())
    }

    fn execute(&self) -> u8 {
        let kind = self.settings.kind;
        let Some(name) = self.args.get(self.program) else { return kind.trouble() };
        let mut listen = Text::<24>::new();
        if matches!(kind, Kind::Catatonit | Kind::Corm) {
            self.rewrite_listen_pid(&mut listen);
        }
        let why = self.search(name);
        if kind == Kind::Catatonit {
            say!(self.settings, Level::Fatal, "failed to exec pid1: ", Reason(why));
        } else {
            say!(
                self.settings,
                Level::Fatal,
                "exec ",
                name,
                " failed: ",
                Reason(why),
                "\x01",
                name,
                ": ",
                Reason(why)
            );
        }
        kind.exec_failed(why)
    }

    /// systemd's socket activation names the process that the sockets are for:
    /// if that was us, it is the child now.
    fn rewrite_listen_pid(&self, text: &mut Text<24>) {
        const NAME: &[u8] = b"LISTEN_PID=";
        let own = |variable: &CStr| {
            let value = variable.to_bytes().strip_prefix(NAME)?;
            let (number, _) = options::number(value)?;
            (number == i64::from(self.pid)).then_some(())
        };
        if let Some(index) = self.args.environment().position(|variable| own(variable).is_some()) {
            put!(*text, "LISTEN_PID=", process::id());
            if let Some(text) = text.as_c_str() {
                self.args.set_variable(index, text);
            }
        }
    }

    /// As execvp(3) looks for a program.
    fn search(&self, name: &CStr) -> Errno {
        if name.to_bytes().contains(&b'/') {
            return self.attempt(name);
        }
        if name.is_empty() {
            return Errno::ENOENT;
        }
        let mut variables = self.args.environment();
        let path = variables.find_map(|variable| variable.to_bytes().strip_prefix(b"PATH="));
        // What glibc takes where there is none.
        let path = path.unwrap_or(b"/bin:/usr/bin");
        let mut why = Errno::ENOENT;
        for directory in path.split(|byte| *byte == b':') {
            let mut file = Text::<{ limits::PATH }>::new();
            file.put(directory);
            if !directory.is_empty() {
                file.put(b"/");
            }
            file.put(name.to_bytes());
            let Some(file) = file.as_c_str() else { return Errno::ENAMETOOLONG };
            match self.attempt(file) {
                // In none of these directories, as far as we know.
                Errno::ENOENT | Errno::ENOTDIR | Errno::ESTALE | Errno::ENODEV | Errno::ETIMEDOUT => {}
                Errno::EACCES => why = Errno::EACCES,
                other => return other,
            }
        }
        why
    }

    fn attempt(&self, file: &CStr) -> Errno {
        let execute =
            |file, first| process::execute_arguments(file, self.args, first, self.settings.keep_environment);
        let why = execute(file, self.program);
        // A script without "#!" is the shell's. There is an argument in front of the program's
        // name: our own.
        if why != Errno::ENOEXEC {
            return why;
        }
        let shell = self.program.saturating_sub(1);
        self.args.set(shell, c"/bin/sh");
        self.args.set(self.program, file);
        execute(c"/bin/sh", shell)
    }
}
