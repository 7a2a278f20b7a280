//! Uploads, downloads and lists on a real disk.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

use selkies_files::{EntryKind, FileError, Folder, Found, Limits, RelativePath, UploadRequest, Uploads};
use tempfile::TempDir;

const LIMITS: Limits = Limits { max_file: 1 << 20, max_open: 2, max_each: 2, keep_free: 0 };

struct Desk {
    place: TempDir,
    outside: TempDir,
    uploads: Uploads,
    folder: Folder,
}

impl Desk {
    fn new(limits: Limits) -> Self {
        let place = tempfile::tempdir().expect("a folder");
        let folder = Folder::at(place.path().join("Desktop"));
        let uploads = Uploads::new(folder.clone(), limits);
        Self { place, outside: tempfile::tempdir().expect("a folder"), uploads, folder }
    }

    fn root(&self) -> std::path::PathBuf {
        self.place.path().join("Desktop")
    }

    fn parts(&self) -> usize {
        fs::read_dir(self.root().join(".selkies-uploads")).map_or(0, Iterator::count)
    }

    fn read(&self, text: &str) -> Result<Vec<u8>, FileError> {
        match self.folder.find(&path(text))? {
            Found::File(file) => {
                let mut bytes = vec![0; usize::try_from(file.len()).expect("small")];
                let read = file.read_at(&mut bytes, 0).expect("read");
                assert_eq!(read, bytes.len());
                Ok(bytes)
            }
            Found::Folder => panic!("{text} is a folder"),
        }
    }
}

fn path(text: &str) -> RelativePath {
    RelativePath::parse(text).expect("a path")
}

fn request(text: &str, id: Option<&str>, offset: u64, total: Option<u64>) -> UploadRequest {
    UploadRequest { path: path(text), sender: "a page".into(), id: id.map(str::to_owned), offset, total }
}

#[test]
fn a_file_is_there_when_it_is_whole_and_not_before() {
    let desk = Desk::new(LIMITS);
    let mut upload = desk.uploads.begin(&request("a/b/c.txt", None, 0, Some(10))).expect("begun");
    upload.write(b"hello").expect("written");
    assert!(matches!(desk.folder.find(&path("a/b/c.txt")), Err(FileError::NotFound)));
    upload.write(b"world").expect("written");
    upload.finish().expect("finished");
    assert_eq!(desk.read("a/b/c.txt").expect("there"), b"helloworld");
    let mode = fs::metadata(desk.root().join("a/b/c.txt")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(desk.parts(), 0);
}

#[test]
fn what_was_interrupted_goes_on_where_it_stopped() {
    let desk = Desk::new(LIMITS);
    let bytes: Vec<u8> = (0..600_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let total = Some(bytes.len() as u64);
    let mut offset = 0;
    // Each request ends without a word after a while.
    while offset < bytes.len() {
        let going_on = request("big.bin", Some("t1"), offset as u64, total);
        let mut upload = desk.uploads.begin(&going_on).expect("goes on");
        let end = bytes.len().min(offset + 70_001);
        for piece in bytes[offset..end].chunks(9_999) {
            upload.write(piece).expect("written");
        }
        if end == bytes.len() {
            upload.finish().expect("whole");
            break;
        }
        drop(upload);
        offset = usize::try_from(desk.uploads.banked(&path("big.bin"), "t1", total).expect("known"))
            .expect("small");
        assert_eq!(offset, end);
    }
    assert!(desk.read("big.bin").expect("there") == bytes, "byte by byte the same");
    assert_eq!(desk.parts(), 0);
}

#[test]
fn a_wrong_place_is_answered_with_the_right_one() {
    let desk = Desk::new(LIMITS);
    let mut upload = desk.uploads.begin(&request("x", Some("t"), 0, Some(9))).expect("begun");
    upload.write(b"four").expect("written");
    let busy = desk.uploads.begin(&request("x", Some("t"), 4, Some(9)));
    assert!(matches!(busy, Err(FileError::Busy)), "{busy:?}");
    drop(upload);
    for (id, total, banked) in [("t", Some(9), 4), ("t", Some(8), 0), ("u", Some(9), 0)] {
        let wrong = desk.uploads.begin(&request("x", Some(id), 3, total));
        assert!(matches!(wrong, Err(FileError::Offset { banked: kept }) if kept == banked), "{wrong:?}");
    }
    // From the beginning is always allowed.
    let mut again = desk.uploads.begin(&request("x", Some("t"), 0, Some(9))).expect("anew");
    again.write(b"nine char").expect("written");
    again.finish().expect("whole");
    assert_eq!(desk.read("x").expect("there"), b"nine char");
}

#[test]
fn more_or_less_than_announced_is_no_file() {
    let desk = Desk::new(LIMITS);
    let mut upload = desk.uploads.begin(&request("x", None, 0, Some(4))).expect("begun");
    assert!(matches!(upload.write(b"five!"), Err(FileError::TooLarge { limit: 4 })));
    drop(upload);
    let mut upload = desk.uploads.begin(&request("x", None, 0, Some(4))).expect("begun");
    upload.write(b"two").expect("written");
    assert!(matches!(upload.finish(), Err(FileError::Incomplete { received: 3, announced: 4 })));
    let large = desk.uploads.begin(&request("x", None, 0, Some(LIMITS.max_file + 1)));
    assert!(matches!(large, Err(FileError::TooLarge { .. })));
    let mut endless = desk.uploads.begin(&request("x", None, 0, None)).expect("begun");
    let block = vec![0; 1 << 19];
    endless.write(&block).expect("written");
    endless.write(&block).expect("written");
    assert!(matches!(endless.write(b"x"), Err(FileError::TooLarge { .. })));
    drop(endless);
    assert_eq!(desk.parts(), 0, "nothing is left of any");
    assert!(matches!(desk.folder.find(&path("x")), Err(FileError::NotFound)));
}

#[test]
fn quotas_hold() {
    let desk = Desk::new(LIMITS);
    let held = [0, 1].map(|n| desk.uploads.begin(&request(&format!("f{n}"), None, 0, None)).expect("begun"));
    assert!(matches!(desk.uploads.begin(&request("f2", None, 0, None)), Err(FileError::TooMany)));
    drop(held);
    desk.uploads.begin(&request("f2", None, 0, None)).expect("there is a place again");

    let shared = Desk::new(Limits { max_open: 3, max_each: 2, ..LIMITS });
    let begin = |sender: &str, name: &str| {
        shared.uploads.begin(&UploadRequest { sender: sender.into(), ..request(name, None, 0, None) })
    };
    let held = ["f0", "f1"].map(|name| begin("one", name).expect("begun"));
    assert!(matches!(begin("one", "f2"), Err(FileError::TooMany)), "others have a place left");
    let other = begin("other", "f3").expect("begun");
    assert!(matches!(begin("third", "f4"), Err(FileError::TooMany)));
    drop((held, other));
    begin("third", "f4").expect("there are places again");

    let full = Desk::new(Limits { keep_free: u64::MAX, ..LIMITS });
    assert!(matches!(full.uploads.begin(&request("x", None, 0, Some(1))), Err(FileError::NoSpace)));
}

#[test]
fn forgotten_parts_are_removed_after_a_day() {
    let desk = Desk::new(LIMITS);
    for id in ["old", "new"] {
        let mut upload = desk.uploads.begin(&request("x", Some(id), 0, Some(9))).expect("begun");
        upload.write(b"four").expect("written");
    }
    assert_eq!(desk.parts(), 2);
    let hidden = desk.root().join(".selkies-uploads");
    let one = fs::read_dir(hidden).expect("read").next().expect("one").expect("one").path();
    let yesterday = SystemTime::now() - Duration::from_secs(25 * 60 * 60);
    fs::File::options().append(true).open(one).expect("open").set_modified(yesterday).expect("dated");
    desk.uploads.begin(&request("y", None, 0, None)).expect("begun").discard();
    assert_eq!(desk.parts(), 1);
    let total = Some(9);
    let left = ["old", "new"].map(|id| desk.uploads.banked(&path("x"), id, total).expect("known"));
    assert!(left == [4, 0] || left == [0, 4], "{left:?}");
    for id in ["old", "new"] {
        desk.uploads.forget(&path("x"), id, total).expect("forgotten");
    }
    assert_eq!(desk.parts(), 0);
}

#[test]
fn links_lead_nowhere() {
    let desk = Desk::new(LIMITS);
    desk.folder.prepare().expect("made");
    let secret = desk.outside.path().join("secret");
    fs::write(&secret, "secret").expect("written");
    symlink(&secret, desk.root().join("link")).expect("linked");
    symlink(desk.outside.path(), desk.root().join("folder")).expect("linked");
    symlink("link", desk.root().join("inside")).expect("linked");
    symlink("/proc/self/root/etc", desk.root().join("magic")).expect("linked");
    for asked in ["link", "folder/secret", "folder", "inside", "magic/passwd"] {
        let found = desk.folder.find(&path(asked));
        assert!(matches!(found, Err(FileError::NotFound)), "{asked}: {found:?}");
    }
    assert!(desk.folder.list(&path("folder")).is_err());
    assert!(desk.folder.list(&RelativePath::default()).expect("listed").entries.is_empty());

    for onto in ["link", "folder/new", "folder"] {
        let mut upload = desk.uploads.begin(&request(onto, None, 0, None)).expect("begun");
        upload.write(b"overwritten").expect("written");
        assert!(matches!(upload.finish(), Err(FileError::Occupied)), "{onto}");
    }
    assert_eq!(fs::read_to_string(&secret).expect("there"), "secret");
    assert_eq!(fs::read_dir(desk.outside.path()).expect("read").count(), 1);

    // Nor does a link in the place of the hidden folder.
    fs::remove_dir_all(desk.root().join(".selkies-uploads")).expect("removed");
    symlink(desk.outside.path(), desk.root().join(".selkies-uploads")).expect("linked");
    let refused = desk.uploads.begin(&request("x", None, 0, None));
    assert!(matches!(refused, Err(FileError::Occupied)), "{refused:?}");
}

/// Ends the other thread, also when this one panics.
struct Ends<'a>(&'a std::sync::atomic::AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// A program of the desktop puts a link in the place of a folder, over and over, while files are written and read there.
#[test]
fn a_race_with_links_leads_nowhere() {
    let desk = Desk::new(LIMITS);
    desk.folder.prepare().expect("made");
    let (root, outside) = (desk.root(), desk.outside.path().to_owned());
    fs::write(outside.join("f"), "secret").expect("written");
    fs::create_dir(root.join("real")).expect("made");
    fs::write(root.join("real/f"), "inside").expect("written");
    let ends = std::sync::atomic::AtomicBool::new(false);
    let (mut reads, mut writes, mut refused) = (0, 0, 0);
    let patience = std::time::Instant::now() + Duration::from_secs(60);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ends.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = fs::rename(root.join("real"), root.join("d"));
                let _ = fs::rename(root.join("d"), root.join("real"));
                // One that an upload made would stay in the way.
                let _ = fs::remove_dir_all(root.join("d"));
                let _ = symlink(&outside, root.join("d"));
                let _ = fs::remove_file(root.join("d"));
            }
        });
        let _ends = Ends(&ends);
        // Until both the folder and the link were met often, whatever the machine does meanwhile.
        while reads < 20 || writes < 20 || refused < 20 {
            assert!(
                std::time::Instant::now() < patience,
                "{reads} reads, {writes} writes and {refused} refusals are too few"
            );
            match desk.folder.find(&path("d/f")) {
                Ok(Found::File(file)) => {
                    let mut bytes = [0; 6];
                    file.read_at(&mut bytes, 0).expect("read");
                    assert_eq!(&bytes, b"inside");
                    reads += 1;
                }
                Ok(Found::Folder) => panic!("it is a file"),
                Err(_) => {}
            }
            let mut upload = desk.uploads.begin(&request("d/g", None, 0, None)).expect("begun");
            upload.write(b"mine").expect("written");
            match upload.finish() {
                Ok(()) => writes += 1,
                // What a link answers; one that is not there is made.
                Err(FileError::Occupied) => refused += 1,
                Err(_) => {}
            }
        }
    });
    let there: Vec<_> = fs::read_dir(&outside).expect("read").collect();
    assert_eq!(there.len(), 1, "nothing was written outside");
}

#[test]
fn what_is_no_file_is_not_given_out() {
    let desk = Desk::new(LIMITS);
    assert!(matches!(desk.folder.find(&path("x")), Err(FileError::NotFound)), "there is no folder yet");
    desk.folder.prepare().expect("made");
    let fifo = desk.root().join("pipe");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
    assert!(matches!(desk.folder.find(&path("pipe")), Err(FileError::NotFound)));
    fs::write(desk.root().join("file"), "x").expect("written");
    assert!(matches!(desk.folder.find(&path("file/x")), Err(FileError::NotFound)));
    assert!(matches!(desk.folder.find(&path("")), Ok(Found::Folder)));
    // A file where a folder is wanted, and the other way round.
    for onto in ["file/x", "pipe"] {
        let upload = desk.uploads.begin(&request(onto, None, 0, None)).expect("begun");
        assert!(matches!(upload.finish(), Err(FileError::Occupied)), "{onto}");
    }
    assert!(desk.uploads.begin(&request("", None, 0, None)).is_err());
}

#[test]
fn a_file_that_is_replaced_leaves_its_permissions() {
    let desk = Desk::new(LIMITS);
    desk.folder.prepare().expect("made");
    let at = desk.root().join("script");
    fs::write(&at, "old").expect("written");
    fs::set_permissions(&at, fs::Permissions::from_mode(0o4754)).expect("set");
    let mut upload = desk.uploads.begin(&request("script", None, 0, None)).expect("begun");
    upload.write(b"new").expect("written");
    upload.finish().expect("replaced");
    assert_eq!(fs::read_to_string(&at).expect("there"), "new");
    assert_eq!(fs::metadata(&at).expect("there").permissions().mode() & 0o7777, 0o754);
}

#[test]
fn lists_show_what_can_be_asked_for() {
    let desk = Desk::new(LIMITS);
    desk.folder.prepare().expect("made");
    let root = desk.root();
    fs::create_dir(root.join("b folder")).expect("made");
    for (name, bytes) in [("a.txt", 3_usize), ("z<script>.txt", 0), (".hidden", 5), ("a\\b", 1), ("l\nf", 1)]
    {
        fs::write(root.join(name), vec![b'x'; bytes]).expect("written");
    }
    let strange: &Path = Path::new(std::ffi::OsStr::new("\u{202e}exe"));
    fs::write(root.join(strange), "x").expect("written");
    let listing = desk.folder.list(&RelativePath::default()).expect("listed");
    let seen: Vec<_> =
        listing.entries.iter().map(|entry| (entry.name.as_str(), entry.kind, entry.size)).collect();
    let wanted = [
        ("b folder", EntryKind::Folder, 0),
        ("a.txt", EntryKind::File, 3),
        ("z<script>.txt", EntryKind::File, 0),
    ];
    assert_eq!(seen, wanted);
    assert!(!listing.cut);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_millis();
    let age = i128::from(listing.entries[1].modified_ms) - i128::try_from(now).expect("small");
    assert!(age.abs() < 60_000, "{age}");
    let json = serde_json::to_value(&listing).expect("JSON");
    assert_eq!(json["entries"][0]["kind"], "folder");

    for n in 0..=selkies_files::MAX_ENTRIES {
        fs::write(root.join("b folder").join(n.to_string()), "").expect("written");
    }
    let many = desk.folder.list(&path("b folder")).expect("listed");
    assert_eq!((many.entries.len(), many.cut), (selkies_files::MAX_ENTRIES, true));
}

#[test]
fn a_tag_tells_one_content_from_another() {
    let desk = Desk::new(LIMITS);
    desk.folder.prepare().expect("made");
    let tag = || match desk.folder.find(&path("f")).expect("there") {
        Found::File(file) => file.tag().to_owned(),
        Found::Folder => panic!("a file"),
    };
    fs::write(desk.root().join("f"), "one").expect("written");
    let first = tag();
    assert_eq!(tag(), first);
    fs::write(desk.root().join("f"), "other").expect("written");
    assert_ne!(tag(), first);
}
