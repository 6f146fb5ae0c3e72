//! The daemon says when it is ready and when it ends, ends in order when asked once and at once when asked twice, in
//! the middle of its work.

use std::os::unix::net::UnixDatagram;

use crate::{
    ground::{Ground, PATIENCE},
    load::{self, Told, ends_as_undisturbed, ends_well, feed, settled, until_it_works},
    worker::Worker,
};

/// What systemd would hear.
struct Supervisor {
    socket: UnixDatagram,
    path: String,
}

impl Supervisor {
    fn new(ground: &Ground) -> Self {
        let path = ground.folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            socket,
            path: path.to_str().unwrap().to_owned(),
        }
    }

    fn start(&self, ground: &Ground, admin: std::net::SocketAddr) -> Worker {
        let worker = ground.launch("one", admin, &[], &[("NOTIFY_SOCKET", &self.path)]);
        assert_eq!(self.hear(), "READY=1");
        assert!(worker.is_ready());
        worker
    }

    fn hear(&self) -> String {
        let mut buffer = [0; 256];
        let read = self.socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..read]).trim().to_owned()
    }
}

async fn ends_in_the_middle_of_its_work(mut ground: Ground) {
    ground.batch = 1;
    let admin = ground.configure("one", &load::rules());
    ground.baton("one", &["migrate"]);
    let supervisor = Supervisor::new(&ground);
    let store = ground.store().await;
    // All of it waits before anybody begins.
    let takes_in = ground.start_as("one", admin, &["--roles", "admin"]);
    for portion in load::write(&ground) {
        feed(&ground, &portion);
    }
    assert!(takes_in.end().success());
    let mut worker = supervisor.start(&ground, admin);

    until_it_works(&ground, &store).await;
    worker.signal("-TERM");
    assert_eq!(supervisor.hear(), "STOPPING=1");
    assert!(worker.process.wait().unwrap().success());
    assert!(
        settled(&ground, &store).await < ground.fed(),
        "it had nothing to do"
    );

    worker = supervisor.start(&ground, admin);
    until_it_works(&ground, &store).await;
    worker.signal("-TERM");
    assert_eq!(supervisor.hear(), "STOPPING=1");
    worker.signal("-TERM");
    assert!(worker.process.wait().unwrap().success());
    assert!(
        settled(&ground, &store).await < ground.fed(),
        "it had nothing to do"
    );

    worker = supervisor.start(&ground, admin);
    ends_as_undisturbed(&ground, &store, Told::Once).await;
    drop(store);
    ends_well(worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_end_under_load_it_ends_and_the_next_goes_on_with_nothing_installed() {
    ends_in_the_middle_of_its_work(Ground::embedded("ends")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_end_under_load_it_ends_and_the_next_goes_on_on_kafka_and_postgresql() {
    if let Some(ground) = Ground::find("ends").await {
        ends_in_the_middle_of_its_work(ground).await;
    }
}
