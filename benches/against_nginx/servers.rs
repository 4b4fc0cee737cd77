//! The servers that are compared, and the origin behind both.

use nix::{sys::time::TimeValLike, time::clock_getcpuclockid, unistd::Pid};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The size that a path stands for: its first segment.
pub(crate) fn size(path: &str) -> usize {
    path.split('/').nth(1).and_then(|size| size.parse().ok()).unwrap_or_default()
}

/// Answers each path with that many bytes, good for an hour.
pub(crate) struct Origin(SocketAddr);

impl Origin {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let address = listener.local_addr().expect("it is bound");
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || serve(stream));
            }
        });
        Self(address)
    }
}

fn serve(mut stream: TcpStream) {
    let mut lines = BufReader::new(stream.try_clone().expect("descriptors are left")).lines();
    loop {
        let head: Vec<String> = lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { return };
        let body = vec![b'x'; size(path)];
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: max-age=3600\r\nETag: \"1\"\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).is_err() {
            return;
        }
    }
}

/// A server under measurement, ended when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    _folder: TempDir,
}

/// Whether nginx can be started.
pub(crate) fn has_nginx() -> bool {
    Command::new("nginx").arg("-v").stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

impl Server {
    /// The executable of this build, or the one that the environment names, with `tables` in its configuration besides.
    pub(crate) fn edgehook(origin: &Origin, tables: &str) -> Self {
        Self::configured(origin.0, &format!("[cache.disk]\npath = \"store\"\nsize = \"1GiB\"\n{tables}"))
    }

    /// The same in front of any origin, without a disk unless `tables` says so.
    pub(crate) fn configured(origin: SocketAddr, tables: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        let config = format!(
            "version = 1\n[server]\nlisten = [\"http://127.0.0.1:0\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [origin.app]\nurl = \"http://{origin}\"\n{tables}\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n"
        );
        fs::write(folder.path().join("edge.toml"), config).expect("there is room");
        let binary = std::env::var("EDGEHOOK_BENCH_BINARY").unwrap_or(env!("CARGO_BIN_EXE_edgehook").to_owned());
        let mut child = Command::new(binary)
            .args(["serve", "--config", "edge.toml"])
            .current_dir(folder.path())
            .env("NO_COLOR", "1")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the executable starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it was piped")).lines().map_while(Result::ok);
        let line = lines.find(|line| line.trim_start().starts_with("proxy")).expect("it says where it listens");
        let address = line.split("://").nth(1).expect("an address").split_whitespace().next().expect("an address");
        let address = address.replace("localhost", "127.0.0.1").parse().expect("an address");
        thread::spawn(move || lines.for_each(drop));
        Self { child, address, _folder: folder }
    }

    /// The nginx of the machine, as it is usually set up for this: two workers, a cache on disk, `sendfile`, no log.
    pub(crate) fn nginx(origin: &Origin) -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        let free = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let address = free.local_addr().expect("it is bound");
        drop(free);
        let path = folder.path().display();
        let config = format!(
            "daemon off; worker_processes 2; error_log {path}/error.log; pid {path}/pid; user root;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 100000000;\n\
             proxy_temp_path {path}/temp; client_body_temp_path {path}/body; fastcgi_temp_path {path}/f;\n\
             uwsgi_temp_path {path}/u; scgi_temp_path {path}/s; open_file_cache max=10000;\n\
             proxy_cache_path {path}/cache keys_zone=edge:64m levels=1:2 max_size=1g use_temp_path=off;\n\
             server {{ listen {address}; location / {{ proxy_pass http://{}; proxy_cache edge; proxy_http_version 1.1;\n\
             add_header X-Cache-Status $upstream_cache_status; }} }} }}\n",
            origin.0
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, config).expect("there is room");
        let child = Command::new("nginx").arg("-c").arg(&file).arg("-e").arg("stderr").spawn().expect("nginx starts");
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "nginx does not listen");
            thread::yield_now();
        }
        Self { child, address, _folder: folder }
    }

    /// The id of its first process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// CPU time that its processes have used.
    pub(crate) fn cpu(&self) -> Duration {
        let own = i32::try_from(self.id()).expect("process ids are small");
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|child| child.parse().ok());
        std::iter::once(own)
            .chain(children)
            .map(|process| {
                let clock = clock_getcpuclockid(Pid::from_raw(process)).expect("it runs");
                let time = clock.now().expect("its clock can be read");
                Duration::from_nanos(u64::try_from(time.num_nanoseconds()).unwrap_or_default())
            })
            .sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let process = Pid::from_raw(i32::try_from(self.id()).unwrap_or_default());
        // nginx ends its workers when it is asked to end, and leaves them when it is killed.
        let _ = nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGTERM);
        let _ = self.child.wait();
    }
}
