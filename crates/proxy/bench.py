"""Compares the proxy with nginx and HAProxy: CPU for a request, memory, and what is lost.

Each proxy runs on core 0 with one worker, origin and load on core 1. A round gives each of them the
same work in turn; ratios are taken inside a round, so that what a noisy machine does to one of them it
mostly does to all.
"""

import argparse
import os
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

PROXY_CPU, LOAD_CPU = "0", "1"
FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
# Two descriptors each, and some for everything else.
CONNECTIONS = min(30_000, (FILES - 100) // 2)


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def on(cpu, *argv):
    return ["taskset", "-c", cpu, *argv]


def until(what, holds, seconds=10):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            sys.exit(f"error: waited in vain until {what}")
        time.sleep(0.02)


def listens(port):
    def holds():
        with socket.socket() as it:
            return it.connect_ex(("127.0.0.1", port)) == 0

    return holds


def write(path, text):
    """Replaces a file at once."""
    with open(path + ".new", "w") as file:
        file.write(text)
    os.rename(path + ".new", path)


def children(pid):
    """A process and all that come of it."""
    found = [pid]
    for parent in found:
        try:
            with open(f"/proc/{parent}/task/{parent}/children") as file:
                found += [int(it) for it in file.read().split()]
        except FileNotFoundError:
            pass
    return found


def cpu_us(pid):
    """The CPU a process and its children took so far, in microseconds."""
    total = 0
    for it in children(pid):
        try:
            for task in os.listdir(f"/proc/{it}/task"):
                with open(f"/proc/{it}/task/{task}/schedstat") as file:
                    total += int(file.read().split()[0])
        except FileNotFoundError:
            pass
    return total / 1000


def resident_mb(pid):
    total = 0
    for it in children(pid):
        with open(f"/proc/{it}/smaps_rollup") as file:
            # What several processes share counts once.
            total += int(re.search(r"^Pss: +(\d+)", file.read(), re.M)[1])
    return total / 1000


class Process:
    def __init__(self, argv, log):
        self.log = open(log, "w")
        self.it = subprocess.Popen(argv, stdout=self.log, stderr=self.log, start_new_session=True)
        self.pid = self.it.pid

    def end(self):
        if self.it.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
        self.it.wait()
        self.log.close()


class Origin(Process):
    """What answers behind the proxies: nginx, whose answers are ready."""

    def __init__(self, folder, name):
        self.port = free_port()
        home = os.path.join(folder, name)
        os.makedirs(home)
        with open(os.path.join(home, "big"), "wb") as file:
            file.write(os.urandom(100_000))
        conf = os.path.join(home, "nginx.conf")
        write(
            conf,
            f"""
daemon off; worker_processes 1; pid {home}/pid; error_log {home}/error.log;
events {{ worker_connections 20000; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 300s; client_max_body_size 1m;
  client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
  server {{
    listen 127.0.0.1:{self.port} backlog=4096; root {home}; sendfile on; tcp_nopush on;
    location / {{ return 200 "hello\\n"; }}
    location /big {{ try_files /big =404; }}
  }}
}}
""",
        )
        super().__init__(on(LOAD_CPU, "nginx", "-p", home, "-c", conf), os.path.join(home, "log"))
        until(f"{name} listens", listens(self.port))


class Nginx(Process):
    name = "nginx"

    def __init__(self, folder, origins, peers, tls=None):
        self.home, self.port = os.path.join(folder, f"nginx-{bool(tls)}"), free_port()
        self.tls = tls
        os.makedirs(self.home)
        self.conf = os.path.join(self.home, "nginx.conf")
        self.backends([it.port for it in origins])
        super().__init__(
            on(PROXY_CPU, "nginx", "-p", self.home, "-c", self.conf), os.path.join(self.home, "log")
        )
        until("nginx listens", listens(self.port))

    def backends(self, ports):
        tls, certificate = "", ""
        if self.tls:
            tls = " ssl http2"
            certificate = (
                f"ssl_certificate {self.tls}/cert.pem; ssl_certificate_key {self.tls}/key.pem;"
                " ssl_session_cache shared:all:10m;"
            )
        servers = " ".join(f"server 127.0.0.1:{it};" for it in ports)
        write(
            self.conf,
            f"""
daemon off; worker_processes 1; pid {self.home}/pid; error_log {self.home}/error.log crit;
worker_rlimit_nofile {FILES};
events {{ worker_connections {2 * CONNECTIONS}; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 300s; client_max_body_size 1m;
  client_body_buffer_size 64k;
  client_body_temp_path {self.home}/body; proxy_temp_path {self.home}/proxy;
  fastcgi_temp_path {self.home}/fastcgi; uwsgi_temp_path {self.home}/uwsgi;
  scgi_temp_path {self.home}/scgi;
  upstream origin {{ {servers} keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{self.port}{tls} backlog=4096; {certificate}
    location / {{
      proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto http; proxy_set_header X-Request-Id $request_id;
    }}
  }}
}}
""",
        )

    def change(self, ports):
        self.backends(ports)
        os.kill(self.pid, signal.SIGHUP)


class Haproxy(Process):
    name = "haproxy"

    def __init__(self, folder, origins, peers, tls=None):
        self.home, self.port = os.path.join(folder, f"haproxy-{bool(tls)}"), free_port()
        self.tls = f" ssl crt {tls}/both.pem alpn h2,http/1.1" if tls else ""
        os.makedirs(self.home)
        self.conf = os.path.join(self.home, "haproxy.cfg")
        self.backends([it.port for it in origins])
        super().__init__(
            on(PROXY_CPU, "haproxy", "-W", "-f", self.conf), os.path.join(self.home, "log")
        )
        until("haproxy listens", listens(self.port))

    def backends(self, ports):
        servers = "\n".join(f"  server s{it} 127.0.0.1:{it}" for it in ports)
        write(
            self.conf,
            f"""
global
  nbthread 1
  maxconn {CONNECTIONS}
defaults
  mode http
  timeout connect 1s
  timeout client 300s
  timeout server 60s
  timeout http-keep-alive 300s
  option redispatch
  retries 3
  http-reuse always
frontend in
  bind 127.0.0.1:{self.port}{self.tls} backlog 4096
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto http
  unique-id-format %{{+X}}o%ci%cp%Ts%rt
  unique-id-header X-Request-Id
  default_backend origin
backend origin
{servers}
""",
        )

    def change(self, ports):
        self.backends(ports)
        os.kill(self.pid, signal.SIGUSR2)


class Toehold(Process):
    name = "toehold"

    def __init__(self, folder, origins, peers, tls=None):
        home, self.port = os.path.join(folder, f"toehold-{bool(tls)}"), free_port()
        os.makedirs(home)
        self.file = os.path.join(home, "backends")
        self.change([it.port for it in origins])
        super().__init__(
            on(
                PROXY_CPU, peers.toehold, "proxy", "--listen", f"127.0.0.1:{self.port}",
                "--backends", self.file, "--cpus", "1",
                *(["--tls", tls] if tls else []),
            ),
            os.path.join(home, "log"),
        )
        until("toehold listens", listens(self.port))

    def change(self, ports):
        write(self.file, "".join(f"127.0.0.1:{it}\n" for it in ports))


def certificate(folder):
    """A folder with a certificate and its key, together and apart."""
    home = os.path.join(folder, "tls")
    os.makedirs(home)
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    argv += ["-nodes", "-keyout", f"{home}/key.pem", "-out", f"{home}/cert.pem", "-days", "30"]
    subprocess.run(argv + ["-subj", "/CN=localhost"], check=True, capture_output=True)
    with open(f"{home}/cert.pem") as cert, open(f"{home}/key.pem") as key:
        write(f"{home}/both.pem", cert.read() + key.read())
    return home


def h2load(proxy, seconds, connections, streams):
    """The same over HTTP/2."""
    argv = on(LOAD_CPU, "h2load", "-t", "1", "-c", str(connections), "-m", str(streams))
    argv += ["-D", str(seconds), f"https://127.0.0.1:{proxy.port}/"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    done = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", said)
    return int(done[1]), sum(map(int, done.groups()[1:]))


def wrk(proxy, seconds, connections, path="/", script=None, headers=(), scheme="http"):
    """Requests answered, and those that were not, in so many seconds of load."""
    argv = on(LOAD_CPU, "wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s")
    for header in headers:
        argv += ["-H", header]
    if script:
        argv += ["-s", script]
    argv.append(f"{scheme}://127.0.0.1:{proxy.port}{path}")
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    requests = int(re.search(r"(\d+) requests in", said)[1])
    errors = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    lost = sum(map(int, errors.groups())) if errors else 0
    return requests, lost + (int(wrong[1]) if wrong else 0)


def cost(proxy, arguments, **load):
    """CPU for a request in microseconds."""
    before = cpu_us(proxy.pid)
    by = h2load if "streams" in load else wrk
    requests, lost = by(proxy, arguments.seconds, **load)
    if lost:
        print(f"  {proxy.name}: {lost} of {requests} were not answered with 2xx", file=sys.stderr)
    return (cpu_us(proxy.pid) - before) / max(requests, 1)


def hold(port, count):
    """So many connections on which one request was answered each."""
    held = []
    for _ in range(count):
        it = socket.create_connection(("127.0.0.1", port))
        it.sendall(b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n")
        it.recv(4096)
        held.append(it)
    return held


WORKS = {
    "get64": ("GET, 64 kept connections", {"connections": 64}),
    "get256": ("GET, 256 kept connections", {"connections": 256}),
    "big": ("100 kB bodies", {"connections": 64, "path": "/big"}),
    "post": ("POST of 10 kB", {"connections": 64, "script": "post"}),
    "fresh": ("a new connection each", {"connections": 64, "headers": ("Connection: close",)}),
}
TLS_WORKS = {
    "tls": ("GET by TLS, 64 kept connections", {"connections": 64, "scheme": "https"}),
    "tlsbig": ("100 kB bodies by TLS", {"connections": 64, "path": "/big", "scheme": "https"}),
    "h2": ("GET by HTTP/2, 16 connections of 16 streams", {"connections": 16, "streams": 16}),
}


def compare(name, peers, folder, arguments):
    """The cost of one kind of work, for each proxy, in rounds that take turns."""
    title, load = (WORKS | TLS_WORKS)[name]
    load = dict(load)
    if load.get("script"):
        load["script"] = os.path.join(folder, "post.lua")
        write(load["script"], 'wrk.method = "POST"\nwrk.body = string.rep("x", 10000)\n')
    costs = {it.name: [] for it in peers}
    for turn in range(arguments.rounds):
        order = peers[turn % len(peers) :] + peers[: turn % len(peers)]
        for proxy in order:
            costs[proxy.name].append(cost(proxy, arguments, **load))
    better = [min(a, b) for a, b in zip(costs["nginx"], costs["haproxy"])]
    ratios = [ours / theirs for ours, theirs in zip(costs["toehold"], better)]
    said = ", ".join(f"{it} {statistics.median(all):.1f}" for it, all in costs.items())
    print(
        f"{title}: {statistics.median(ratios):.2f} of the better one's"
        f" ({min(ratios):.2f} to {max(ratios):.2f}); µs a request: {said}"
    )


def idle(peers, count):
    """Memory with and without connections that say nothing."""
    for proxy in peers:
        alone = resident_mb(proxy.pid)
        held = hold(proxy.port, count)
        loaded = resident_mb(proxy.pid)
        for it in held:
            it.close()
        print(f"{proxy.name}: {alone:.1f} MB at rest, {loaded:.1f} MB with {count} idle connections")


def change(peers, origins, arguments):
    """What is lost while backends change ten times a second."""
    ports = [it.port for it in origins]
    for proxy in peers:
        load = subprocess.Popen(
            on(LOAD_CPU, "wrk", "-t", "1", "-c", "64", "-d", "5s", f"http://127.0.0.1:{proxy.port}/"),
            stdout=subprocess.PIPE, text=True,
        )
        turn = 0
        while load.poll() is None:
            turn += 1
            proxy.change(ports[: 1 + turn % 2])
            time.sleep(0.1)
        said = load.communicate()[0]
        proxy.change(ports)
        print(f"{proxy.name}, {turn} changes: {lost_of(said)}")


def lost_of(said):
    requests = re.search(r"(\d+) requests in", said)[1]
    errors = re.search(r"Socket errors: (.*)", said)
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    lost = sum(map(int, re.findall(r"\d+", errors[1]))) if errors else 0
    return f"{lost + (int(wrong[1]) if wrong else 0)} of {requests} lost"


def kill(peers, folder):
    """What is lost when an origin is killed and nobody says so."""
    for proxy in peers:
        origins = [Origin(folder, f"killed-{proxy.name}-{it}") for it in range(2)]
        proxy.change([it.port for it in origins])
        time.sleep(1)
        load = subprocess.Popen(
            on(LOAD_CPU, "wrk", "-t", "1", "-c", "64", "-d", "4s", f"http://127.0.0.1:{proxy.port}/"),
            stdout=subprocess.PIPE, text=True,
        )
        time.sleep(2)
        origins[0].end()
        print(f"{proxy.name}, an origin killed: {lost_of(load.communicate()[0])}")
        origins[1].end()


def main():
    said = argparse.ArgumentParser()
    said.add_argument("--toehold", required=True)
    said.add_argument("--rounds", type=int, required=True)
    said.add_argument("--seconds", type=int, required=True)
    said.add_argument("--idle", type=int, required=True)
    said.add_argument("works", nargs="*")
    arguments = said.parse_args()
    known = [*WORKS, *TLS_WORKS, "idle", "change", "kill"]
    works = arguments.works or known
    if unknown := [it for it in works if it not in known]:
        sys.exit(f"error: there is no work {unknown[0]}: {' '.join(known)}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    running = []
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        try:
            origins = [Origin(folder, f"origin-{it}") for it in range(2)]
            running += origins
            peers = []
            for kind in (Nginx, Haproxy, Toehold):
                peers.append(kind(folder, origins, arguments))
                running.append(peers[-1])
            if [it for it in works if it in TLS_WORKS]:
                shown, tls_peers = certificate(folder), []
                for kind in (Nginx, Haproxy, Toehold):
                    tls_peers.append(kind(folder, origins, arguments, shown))
                    running.append(tls_peers[-1])
            for name in works:
                if name in WORKS:
                    compare(name, peers, folder, arguments)
                elif name in TLS_WORKS:
                    compare(name, tls_peers, folder, arguments)
                elif name == "idle":
                    idle(peers, arguments.idle)
                elif name == "change":
                    change(peers, origins, arguments)
                else:
                    kill(peers, folder)
        finally:
            for it in reversed(running):
                it.end()


main()
