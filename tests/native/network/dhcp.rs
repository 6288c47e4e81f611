//! An uplink by DHCP, with dnsmasq(8) as its servers: two networks of them beside corm's machine.

use super::*;
use corm_qemu::host;

const CONFIG: &str = r#"
[system]
hostname = "edge-01"

[network]
up0 = { address = ["dhcp", "198.51.100.5/24"], routes = ["203.0.113.0/24 via 198.51.100.9"] }

[workload.clock]
command = ["/bin/busybox", "sleep", "1000"]
"#;

/// A server, and what it says of its clients.
struct Server {
    process: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Server {
    /// Listens on `interface` of a namespace, and has these addresses to give away: the first one first.
    fn start(space: &str, interface: &str, range: &str, more: &[&str]) -> Result<Server> {
        let mut process = Command::new("ip")
            .args(["netns", "exec", space, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null"])
            .args(["--port=0", "--no-ping", "--log-dhcp", "--log-facility=-", "--user=root", "--pid-file="])
            .args(["--dhcp-leasefile=/dev/null", "--leasefile-ro", "--dhcp-sequential-ip"])
            .args([&format!("--interface={interface}"), &format!("--dhcp-range={range},255.255.255.0,2m")])
            // It gives nothing for less than two minutes; when that is to be renewed is another matter.
            .args(["--dhcp-option-force=58,3", "--dhcp-option-force=59,6"])
            .args(["--dhcp-option=3,192.0.2.1", "--dhcp-option=6,192.0.2.53,192.0.2.54"])
            .args(["--dhcp-option=15,example.org", "--dhcp-option=26,1400"])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let errors = BufReader::new(process.stderr.take().context("its stderr is a pipe")?);
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            errors.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)))
        });
        Ok(Server { process, lines, seen: Vec::new() })
    }

    /// Waits until it has said this so often.
    #[track_caller]
    fn wait_for(&mut self, text: &str, times: usize) {
        let give_up = Instant::now() + PATIENCE;
        while self.count(text) < times {
            match self.lines.recv_timeout(give_up.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.push(line),
                Err(_) => panic!("the server has not said {text:?} {times} times:\n{}", self.seen.join("\n")),
            }
        }
    }

    fn count(&mut self, text: &str) -> usize {
        self.seen.extend(self.lines.try_iter());
        self.seen.iter().filter(|line| line.contains(text)).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // ip(8) has become it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A namespace that goes with the value.
struct Space(String);

impl Drop for Space {
    fn drop(&mut self) {
        let _ = run("ip", &["netns", "del", &self.0]);
    }
}

#[test]
fn an_uplink_has_its_address_by_dhcp_and_keeps_it() -> Result<()> {
    let Some(place) = Place::new()? else { return Ok(()) };
    host::require(&[host::DNSMASQ])?;
    // What it had before its restart, and what another machine has by now.
    let kept = place.root().join("var/lib/corm/dhcp-up0");
    fs::create_dir_all(place.root().join("var/lib/corm"))?;
    fs::write(&kept, "192.0.2.57\n")?;
    // Two machines outside, each of which can be a server.
    let second = Space(format!("corm-p-{}", std::process::id()));
    let mut one = None;
    let booted = World::boot_into(&place, CONFIG, |outside| {
        run("ip", &["netns", "add", &second.0])?;
        let join = format!(
            "ip link add lan type bridge; ip link add two type veth peer name two0 netns {}; \
             ip link set two master lan; ip addr del 192.0.2.1/24 dev up1; ip link set up1 master lan; \
             ip addr add 192.0.2.1/24 dev lan; ip addr add 2001:db8:1::1/64 dev lan nodad; ip link set two up; ip link set lan up",
            second.0
        );
        run("sh", &["-ec", &join.replace("ip ", &format!("ip -n {outside} "))])?;
        for words in [
            &["addr", "add", "192.0.2.2/24", "dev", "two0"][..],
            &["addr", "add", "192.0.2.57/24", "dev", "two0"],
            &["link", "set", "two0", "up"],
        ] {
            run("ip", &[&["-n", &second.0], words].concat())?;
        }
        let router =
            ["--dhcp-range=2001:db8:1::,ra-only", "--dhcp-option=option6:dns-server,[2001:db8:1::53]"];
        let more = [&["--dhcp-authoritative", "--enable-ra"][..], &router].concat();
        let mut server = Server::start(outside, "lan", "192.0.2.50,192.0.2.59", &more)?;
        server.wait_for("started", 1);
        one = Some(server);
        Ok(())
    })?;
    let Some((mut world, mut one)) = booted.zip(one) else { return Ok(()) };
    let (machine, outside) = (world.machine.clone(), world.outside.clone());
    let address = |world: &World| run("ip", &["-n", &world.machine, "-4", "addr", "show", "up0"]);
    let route = |world: &World| run("ip", &["-n", &world.machine, "route"]);
    // It asks for its old address, is told that it may have it, finds out that it may not, and takes another.
    one.wait_for("DHCPREQUEST(lan) 192.0.2.57", 1);
    one.wait_for("DHCPDECLINE(lan) 192.0.2.57", 1);
    world.wait_for("192.0.2.57 is another machine's already");
    world.wait_for("/24 by DHCP from 192.0.2.1");
    let leased = world.seen.iter().find_map(|line| line.split_once("/24 by DHCP")?.0.rsplit(' ').next());
    let leased = leased.context("an address")?.to_owned();
    assert_ne!(leased, "192.0.2.57");
    let (cidr, ack) = (format!("{leased}/24"), format!("DHCPACK(lan) {leased}"));
    assert!(one.count("client provides name: edge-01") > 0, "{}", one.seen.join("\n"));
    // The workload has not waited for it.
    let place_of = |text: &str| world.seen.iter().position(|line| line.contains(text));
    assert!(place_of("clock: running") < place_of("by DHCP from"), "{}", world.seen.join("\n"));

    let link = run("ip", &["-n", &machine, "addr", "show", "up0"])?;
    for part in [&*format!("inet {cidr}"), "inet 198.51.100.5/24", "mtu 1400"] {
        assert!(link.contains(part), "{part}: {link}");
    }
    let default = format!("default via 192.0.2.1 dev up0 proto dhcp src {leased} metric 100");
    let routes = [&*default, "203.0.113.0/24 via 198.51.100.9"];
    for part in routes {
        assert!(route(&world)?.contains(part), "{part}: {}", route(&world)?);
    }
    // The router's comes behind them; when it comes is its affair.
    let resolv_conf = || fs::read_to_string(place.root().join("run/corm/resolv.conf"));
    let routers = "nameserver 2001:db8:1::53\n";
    wait_until("what the router says", || resolv_conf().is_ok_and(|text| text.ends_with(routers)));
    let resolvers = resolv_conf()?;
    let resolvers = resolvers.strip_suffix(routers).context("at its end")?;
    assert!(
        resolvers.ends_with("search example.org\nnameserver 192.0.2.53\nnameserver 192.0.2.54\n"),
        "{resolvers}"
    );
    assert_eq!(
        fs::read_link(place.root().join("etc/resolv.conf"))?.to_str(),
        Some("../run/corm/resolv.conf")
    );
    wait_until("the new address is kept", || {
        fs::read_to_string(&kept).is_ok_and(|text| text.trim() == leased)
    });

    // It is renewed, and the server is told under the address.
    let acks = one.count(&ack);
    one.wait_for(&ack, acks + 2);

    // The server is gone and another one there, which knows nothing of it: its address stays, since that
    // one lets it, and is asked for of all.
    drop(one);
    let mut one = Server::start(&outside, "lan", "192.0.2.50,192.0.2.59", &["--dhcp-authoritative"])?;
    one.wait_for(&ack, 1);
    assert!(address(&world)?.contains(&cidr));

    // A cable that is pulled, and an interface that somebody turns off and on: all is there again.
    for (space, interface) in [(&outside, "up1"), (&machine, "up0")] {
        run("ip", &["-n", space, "link", "set", interface, "down"])?;
        wait_until("it has no carrier", || {
            run("ip", &["-n", &machine, "link", "show", "up0"])
                .is_ok_and(|text| text.contains("state DOWN") || text.contains("LOWERLAYERDOWN"))
        });
        run("ip", &["-n", space, "link", "set", interface, "up"])?;
        wait_until("its routes are back", || {
            route(&world).is_ok_and(|text| routes.iter().all(|part| text.contains(part)))
        });
        assert!(address(&world)?.contains(&cidr));
    }

    // A server that has other addresses now refuses the old one.
    drop(one);
    let mut one = Server::start(&outside, "lan", "192.0.2.80,192.0.2.89", &["--dhcp-authoritative"])?;
    one.wait_for(&format!("DHCPNAK(lan) {leased}"), 1);
    world.wait_for(&format!("{cidr} is gone: the server has taken it back"));
    world.wait_for("up0: 192.0.2.80/24 by DHCP from 192.0.2.1");
    let now = address(&world)?;
    assert!(now.contains("192.0.2.80/24") && !now.contains(&leased), "{now}");

    // Two servers: one of the two has its way, and the other one is not asked again.
    drop(one);
    let mut one = Server::start(&outside, "lan", "192.0.2.90,192.0.2.99", &["--dhcp-authoritative"])?;
    let mut two = Server::start(&second.0, "two0", "192.0.2.100,192.0.2.109", &[])?;
    one.wait_for("DHCPNAK(lan) 192.0.2.80", 1);
    world.wait_for("192.0.2.80/24 is gone");
    wait_until("either has given one", || one.count("DHCPACK") + two.count("DHCPACK") > 0);
    let (chosen, other) = if one.count("DHCPACK") > 0 { (&mut one, &mut two) } else { (&mut two, &mut one) };
    let acks = chosen.count("DHCPACK");
    chosen.wait_for("DHCPACK", acks + 2);
    assert_eq!(other.count("DHCPACK"), 0, "{}", other.seen.join("\n"));
    Ok(())
}
