//! Static addresses of the machine's own interfaces.

use super::complain;
use super::late::Patience;
use crate::config::{Config, Interface};
use crate::sys::Errno;
use crate::sys::interface::Stack;
use crate::text::{Show, Sink};
use crate::{info, packed, put, warn};
use core::ffi::CStr;

/// Waits for each interface of `[network]` and configures it.
pub(super) fn configure(config: &Config, patience: &mut Patience) {
    if config.interfaces.is_empty() {
        return;
    }
    let stack = match Stack::open() {
        Ok(stack) => stack,
        Err(errno) => return complain!(Err(errno), "cannot configure the network"),
    };
    for interface in &config.interfaces {
        let name = config.c_str(interface.name);
        if patience.wait_for(&mut || stack.find(name) != Err(Errno::ENODEV)) {
            configure_one(name, interface, &stack);
        } else {
            let seconds = Patience::SECONDS;
            warn!("network ", name, ": not there after ", seconds, "s; is its driver among the modules?");
        }
    }
}

fn configure_one(name: &CStr, interface: &Interface, stack: &Stack) {
    let mut what = packed!(": cannot set its address");
    let mut result = stack.set_address(name, interface.address, interface.prefix);
    if result.is_ok() {
        what = packed!(": cannot turn it on");
        result = stack.turn_on(name);
    }
    if result.is_ok()
        && let Some(gateway) = interface.gateway
    {
        what = packed!(": cannot set its gateway");
        result = stack.set_gateway(gateway);
    }
    match result {
        Ok(()) | Err(Errno::EEXIST) => {
            info!("network ", name, ": ", Address(interface.address), "/", interface.prefix);
        }
        Err(_) => complain!(result, "network ", name, what),
    }
}

/// An IPv4 address for people.
struct Address([u8; 4]);

impl Show for Address {
    fn show(&self, out: &mut dyn Sink) {
        let [a, b, c, d] = self.0;
        put!(*out, a, ".", b, ".", c, ".", d);
    }
}
