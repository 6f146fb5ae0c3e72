//! No room left on the disk: the daemon says so, loses nothing, and goes on when there is room again.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::Command,
};

use baton_store::testing::{other_user, postgres_alone};

use crate::{
    ground::Ground,
    load::{self, Told, ends_as_undisturbed, ends_well, feed, until_it_works},
    servers::{BatonLog, broker, missing},
};

/// A file system of its own that is soon full.
struct Tiny(PathBuf);

impl Tiny {
    fn mount(at: &Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=192m", "tmpfs"]);
        match mount.arg(at).output() {
            Ok(done) if done.status.success() => Some(Self(at.to_owned())),
            Ok(done) => missing("right to mount", &String::from_utf8_lossy(&done.stderr)),
            Err(error) => missing("mount", &error.to_string()),
        }
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    fn fill(&self) {
        let mut filler = File::create(self.filler()).unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            let bytes = vec![1; size];
            while filler.write_all(&bytes).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// The store's disk is full while half of the load comes.
async fn the_store_is_full(ground: Ground, tiny: &Tiny) {
    let admin = ground.configure("one", &load::rules());
    ground.baton("one", &["migrate"]);
    let worker = ground.start("one", admin);
    let store = ground.store().await;
    let portions = load::write(&ground);
    let (early, late) = portions.split_at(portions.len() / 2);
    for portion in early {
        feed(&ground, portion);
    }
    until_it_works(&ground, &store).await;
    tiny.fill();
    for portion in late {
        feed(&ground, portion);
    }
    worker.wait_until_it_says("the store has no room left; free disk space and it goes on");
    tiny.make_room();
    ends_as_undisturbed(&ground, &store, Told::Once).await;
    ends_well(worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sqlite_store_whose_disk_is_full_goes_on_when_there_is_room_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = BatonLog::start(folder.path());
    let ground = Ground::on("full", Some(&log.address), None).await;
    let Some(tiny) = Tiny::mount(&ground.data()) else {
        return;
    };
    the_store_is_full(ground, &tiny).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_store_whose_disk_is_full_goes_on_when_there_is_room_again() {
    let (Some(broker), Some(server)) = (broker(), postgres_alone()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    // The server runs as somebody else.
    fs::set_permissions(
        folder.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o711),
    )
    .unwrap();
    let Some(tiny) = Tiny::mount(&folder.path().join("disk")) else {
        return;
    };
    let tables = tiny.0.join("tables");
    fs::create_dir(&tables).unwrap();
    if let Some((uid, gid)) = other_user().unwrap() {
        chown(&tables, Some(uid), Some(gid)).unwrap();
    }
    let database = server.database_in(&tables).await.unwrap();
    let ground = Ground::with("full", Some(broker), database);
    the_store_is_full(ground, &tiny).await;
}
