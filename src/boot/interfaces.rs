//! Static addresses of the machine's own interfaces.

use super::late::Patience;
use crate::config::{Config, Interface};
use crate::sys::Errno;
use crate::sys::interface::Stack;
use crate::text::{Show, Sink};
use crate::{info, warn};

/// Waits for each interface of `[network]` and configures it.
pub(super) fn configure(config: &Config, patience: &mut Patience) {
    if config.interfaces.is_empty() {
        return;
    }
    let stack = match Stack::open() {
        Ok(stack) => stack,
        Err(errno) => return warn!("cannot configure the network: ", errno),
    };
    for interface in &config.interfaces {
        let name = config.c_str(interface.name);
        if !patience.wait_for(&mut || stack.find(name) != Err(Errno::ENODEV)) {
            warn!(
                "network ",
                name,
                ": not there after ",
                Patience::SECONDS,
                "s; is its driver among the modules?"
            );
            continue;
        }
        match configure_one(config, interface, &stack) {
            Ok(()) => info!("network ", name, ": ", Address(interface.address), "/", interface.prefix),
            Err((what, errno)) => warn!("network ", name, ": cannot ", what, ": ", errno),
        }
    }
}

fn configure_one(config: &Config, interface: &Interface, stack: &Stack) -> Result<(), (&'static str, Errno)> {
    let name = config.c_str(interface.name);
    let address = stack.set_address(name, interface.address, interface.prefix);
    address.map_err(|errno| ("set its address", errno))?;
    stack.turn_on(name).map_err(|errno| ("turn it on", errno))?;
    match interface.gateway.map(|gateway| stack.set_gateway(gateway)) {
        None | Some(Ok(()) | Err(Errno::EEXIST)) => Ok(()),
        Some(Err(errno)) => Err(("set its gateway", errno)),
    }
}

/// An IPv4 address for people.
struct Address([u8; 4]);

impl Show for Address {
    fn show(&self, out: &mut dyn Sink) {
        let [a, b, c, d] = self.0;
        for (number, end) in [(a, "."), (b, "."), (c, "."), (d, "")] {
            number.show(out);
            end.show(out);
        }
    }
}
