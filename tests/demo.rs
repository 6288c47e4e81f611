//! The demo appliance, as the README shows it.

use anyhow::{Context, Result};
use corm_qemu::machine::Forward;
use corm_qemu::{Image, Machine, Options};
use corm_tests::*;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// What `curl localhost:PORT` does.
fn fetch(port: u16) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    Ok(page)
}

#[test]
fn web_answers_while_hog_dies_and_orphans_are_reaped() -> Result<()> {
    let options = Options { forwards: vec![Forward::to(8080), Forward::to(9000)], ..Options::default() };
    // The machine itself, on its loopback and on its address, and a port that nobody publishes.
    let look = r#"
/bin/busybox httpd -p 9000 -h /srv/www
for url in http://127.0.0.1:8080/ http://10.0.2.15:8080/ http://10.88.0.2/; do
    until wget -q -O - $url | grep -q 'It runs.'; do sleep 1; done; echo reached $url
done
until grep -q nameserver /etc/resolv.conf; do sleep 1; done; sed 's/^/resolv.conf: /' /etc/resolv.conf
ip route | sed 's/^/route: /'
echo forwarding=$(cat /proc/sys/net/ipv4/ip_forward) ports=$(ls /sys/class/net/br0/brif)
"#;
    let image = Image::demo(&board()).file("/etc/corm.d/90-probe.toml", probe(&["web"], look), 0o644);
    let machine = Machine::boot(&image.build()?, &options)?;
    let port = machine.host_port(8080).context("a port of the host")?;
    let closed = machine.host_port(9000).context("a port of the host")?;
    machine.wait_for("web: running")?;

    let give_up = Instant::now() + Duration::from_secs(120);
    let page = loop {
        // QEMU accepts before the guest listens, and then closes: ask again.
        match fetch(port) {
            Ok(page) if page.contains("It runs.") => break page,
            other if Instant::now() > give_up => panic!("{other:?}\n{}", machine.console()),
            _ => std::thread::sleep(Duration::from_millis(200)),
        }
    };
    assert!(page.starts_with("HTTP/1.0 200 OK") || page.starts_with("HTTP/1.1 200 OK"), "{page}");

    let seen = Seen::by_probe(&machine)?;
    for url in ["http://127.0.0.1:8080/", "http://10.0.2.15:8080/", "http://10.88.0.2/"] {
        assert!(seen.has(&format!("reached {url}")), "{seen}");
    }
    // The uplink's address, router and name server are of QEMU's own DHCP server.
    assert_said(&machine.console(), "network eth0: 10.0.2.15/24 by DHCP from 10.0.2.2 for 24h");
    assert!(seen.has("resolv.conf: nameserver 10.0.2.3"), "{seen}");
    // busybox does not say whose it is.
    assert!(seen.has("route: default via 10.0.2.2 dev eth0  src 10.0.2.15  metric 100"), "{seen}");
    assert_eq!(seen.value("forwarding")?, "1 ports=corm0");
    assert!(fetch(closed).map_or(true, |page| page.is_empty()), "port 9000 of the machine is closed");

    // While the probe waited for the uplink's address, the first time may have passed.
    for _ in 0..2 {
        machine.wait_for_match(r"corm: hog: out of memory.*16M")?;
        machine.wait_for_match(r"corm: hog: killed by signal 9.*restart \d+ in ")?;
    }
    let console = machine.console();
    for restart in ["restart 1 in 1s", "restart 2 in 2s"] {
        let is_told =
            |line: &str| line.contains("hog: killed by signal 9") && line.trim_end().ends_with(restart);
        assert!(console.lines().any(is_told), "{restart}: {console}");
    }
    assert!(fetch(port)?.contains("It runs."), "web still answers");

    let zombies =
        machine.wait_for_match(r"orphans: left 100 orphans behind; zombies on this machine: (\d+)")?;
    assert_eq!(zombies[1], "0");
    Ok(())
}
