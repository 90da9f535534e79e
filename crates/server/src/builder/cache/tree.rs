//! A folder as one file, and back: files with their modes and times, links as they are.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Component, Path};

use tar::{Archive, Builder, Header};
use walkdir::WalkDir;

/// Quick: it is read back a few times, and never sent anywhere.
const LEVEL: i32 = 1;

/// Packs the folder `from`, which may be missing, since some lock files ask for nothing. Neither a
/// file nor a link may stand in its place. Files of any other kind are left out.
pub(super) fn pack(from: &Path, to: &Path) -> io::Result<()> {
    let mut zstd = zstd::Encoder::new(File::create(to)?, LEVEL)?;
    zstd.include_checksum(true)?;
    let mut archive = Builder::new(zstd);
    match fs::symlink_metadata(from) {
        Ok(about) if about.is_dir() => fill(&mut archive, from)?,
        Ok(_) => return Err(io::Error::from(io::ErrorKind::NotADirectory)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    archive.into_inner()?.finish()?;
    Ok(())
}

fn fill(archive: &mut Builder<impl io::Write>, from: &Path) -> io::Result<()> {
    for entry in WalkDir::new(from) {
        let entry = entry?;
        let name = match entry.path().strip_prefix(from).map_err(io::Error::other)? {
            root if root == Path::new("") => Path::new("."),
            name => name,
        };
        let mut header = Header::new_gnu();
        header.set_metadata(&entry.metadata()?);
        let kind = entry.file_type();
        if kind.is_dir() {
            archive.append_data(&mut header, name, io::empty())?;
        } else if kind.is_symlink() {
            header.set_size(0);
            archive.append_link(&mut header, name, fs::read_link(entry.path())?)?;
        } else if kind.is_file() {
            archive.append_data(&mut header, name, File::open(entry.path())?)?;
        }
    }
    Ok(())
}

/// Unpacks an entry to `to`, which must not be there; nothing is made where nothing was packed.
///
/// Names that lead out are refused. Nothing lies below a link, since packing follows none.
pub(super) fn unpack(from: &File, to: &Path) -> io::Result<()> {
    let zstd = zstd::Decoder::with_buffer(BufReader::new(from))?;
    let mut archive = Archive::new(zstd);
    // Python and Cargo tell by the times whether what they made is fresh.
    archive.set_preserve_mtime(true);
    archive.set_preserve_permissions(true);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let mut place = to.to_owned();
        for part in entry.path()?.components() {
            match part {
                Component::Normal(name) => place.push(name),
                Component::CurDir => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    return Err(io::Error::from(io::ErrorKind::InvalidFilename));
                }
            }
        }
        if entry.header().entry_type().is_dir() {
            fs::create_dir(&place)?;
        } else {
            entry.unpack(&place)?;
        }
    }
    // The checksum stands at the very end.
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    #[test]
    fn a_tree_comes_back_as_it_was() {
        let dir = folder();
        let (from, file, to) =
            (dir.path().join("from"), dir.path().join("kept"), dir.path().join("to"));
        fs::create_dir_all(from.join("left/empty")).expect("made");
        fs::write(from.join("left/run.sh"), "echo left\n").expect("written");
        fs::set_permissions(from.join("left/run.sh"), Permissions::from_mode(0o555)).expect("set");
        symlink("../left/run.sh", from.join("left/link")).expect("linked");
        symlink("/nowhere/at/all", from.join("away")).expect("linked");
        let long = "n".repeat(180);
        fs::write(from.join(&long), "long").expect("written");
        pack(&from, &file).expect("packed");
        unpack(&File::open(&file).expect("there"), &to).expect("unpacked");
        let about = |dir: &Path| fs::metadata(dir.join("left/run.sh")).expect("there");
        assert_eq!(about(&from).mode(), about(&to).mode());
        assert_eq!(about(&from).mtime(), about(&to).mtime());
        assert_eq!(fs::read_to_string(to.join("left/link")).expect("it leads"), "echo left\n");
        assert_eq!(fs::read_link(to.join("away")).expect("a link"), Path::new("/nowhere/at/all"));
        assert_eq!(fs::read_to_string(to.join(long)).expect("there"), "long");
        assert!(to.join("left/empty").is_dir());
    }

    #[test]
    fn nothing_is_packed_and_unpacked_as_nothing() {
        let dir = folder();
        let (file, to) = (dir.path().join("kept"), dir.path().join("to"));
        pack(&dir.path().join("missing"), &file).expect("packed");
        unpack(&File::open(&file).expect("there"), &to).expect("unpacked");
        assert!(!to.exists());
    }

    #[test]
    fn one_that_was_cut_or_changed_is_an_error() {
        let dir = folder();
        let (from, file) = (dir.path().join("from"), dir.path().join("kept"));
        fs::create_dir(&from).expect("made");
        fs::write(from.join("it"), "some words\n".repeat(900)).expect("written");
        pack(&from, &file).expect("packed");
        let whole = fs::read(&file).expect("there");
        let mut changed = whole.clone();
        changed[whole.len() / 2] ^= 0x10;
        for (count, bytes) in [&whole[..whole.len() - 3], &changed, b"", &vec![0; whole.len()]]
            .into_iter()
            .enumerate()
        {
            fs::write(&file, bytes).expect("written");
            let to = dir.path().join(count.to_string());
            unpack(&File::open(&file).expect("there"), &to).expect_err("it is not whole");
        }
    }
}
