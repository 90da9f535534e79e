//! Whether a path names a file that one release has and the one before did not: its name holds a
//! fingerprint of its content.

/// What such files end with.
const ENDINGS: [&str; 34] = [
    "avif",
    "bin",
    "br",
    "css",
    "eot",
    "gif",
    "gz",
    "html",
    "ico",
    "jpeg",
    "jpg",
    "js",
    "json",
    "map",
    "mjs",
    "mp3",
    "mp4",
    "ogg",
    "otf",
    "pdf",
    "png",
    "svg",
    "ttf",
    "txt",
    "wasm",
    "wav",
    "webm",
    "webmanifest",
    "webp",
    "woff",
    "woff2",
    "xml",
    "cjs",
    "data",
];

/// Folders below which another one may be named by a fingerprint.
const FOLDERS: [&str; 10] =
    ["_app", "_astro", "_next", "_nuxt", "assets", "build", "dist", "immutable", "packs", "static"];

/// The shortest fingerprint of a file, and of a folder, in characters.
const SHORTEST: (usize, usize) = (8, 16);

/// Whether a path (a query may stand behind it) names a file by a fingerprint, as builds of assets
/// make them: `app.3f9a1c2b.js`, `index-BzX91kQ2.css`, `/_next/static/<hash>/page.js`.
#[must_use]
pub fn is_fingerprinted(path: &str) -> bool {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let mut folders = path.split('/');
    let Some((stem, ending)) = folders.next_back().and_then(|file| file.rsplit_once('.')) else {
        return false;
    };
    if !ENDINGS.iter().any(|it| ending.eq_ignore_ascii_case(it)) {
        return false;
    }
    if parts(stem).any(|part| is_hash(part, SHORTEST.0)) {
        return true;
    }
    let mut is_below = false;
    folders.any(|folder| {
        let is_it = is_below && is_hash(folder, SHORTEST.1);
        is_below |= FOLDERS.contains(&folder);
        is_it
    })
}

/// What of a name may be a fingerprint: what stands between dots, tildes, hyphens and underscores;
/// and what hyphens and underscores are part of, where it has as many characters as Vite's have.
fn parts(stem: &str) -> impl Iterator<Item = &str> {
    stem.split(['.', '~']).flat_map(|word| {
        let begins = std::iter::once(0)
            .chain(word.match_indices(['-', '_']).map(|(at, _)| at + 1))
            .map(|at| &word[at..]);
        word.split(['-', '_']).chain(begins.filter(|rest| rest.len() == SHORTEST.0))
    })
}

/// Whether a word is made by chance rather than by a person.
fn is_hash(word: &str, shortest: usize) -> bool {
    let fits = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    if word.len() < shortest || !word.bytes().all(fits) {
        return false;
    }
    let has = |is: fn(&u8) -> bool| word.bytes().any(|c| is(&c));
    let (digit, upper, lower) =
        (has(u8::is_ascii_digit), has(u8::is_ascii_uppercase), has(u8::is_ascii_lowercase));
    let is_hex = word.bytes().all(|c| c.is_ascii_hexdigit()) && !(upper && lower);
    let changes = changes(word);
    match (digit, upper || lower) {
        // Dates and numbers of people's own.
        (_, false) => false,
        (true, true) if is_hex => true,
        // `sha256` and `version2` change once or twice.
        (true, true) => changes >= 3 || (changes >= 2 && upper),
        // Words of people, also in CamelCase, change between cases seldom.
        (false, true) => upper && lower && changes * 3 > word.len(),
    }
}

/// How often one kind of character follows another.
fn changes(word: &str) -> usize {
    let kind = |c: u8| (c.is_ascii_digit(), c.is_ascii_uppercase(), c.is_ascii_lowercase());
    word.as_bytes().windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_named_by_their_content_are_told_from_others() {
        let named_by_content = [
            "/app.3f9a1c2b.js",
            "/assets/index-BzX91kQ2.css",
            "/assets/index-BzX91kQ2.css?v=1",
            "/assets/vendor-Dq3_kX-9.js",
            "/assets/index-BzXqkQaT.js",
            "/_next/static/chunks/main-6f2c1d0b9a8e7f35.js",
            "/_next/static/kQ3vX9yB2mN7pR5tW8zA1/_buildManifest.js",
            "/_next/static/media/4473ecc91f70f139-s.p.woff2",
            "/_nuxt/entry.9f8e7d6c.css",
            "/static/js/2.8e1a0f3c.chunk.js",
            "/static/js/main.8e1a0f3c.js.map",
            "/packs/application-1f0d7a2c3b4e5f6071829304a5b6c7d8.js",
            "/assets/application-4c1f5d2e8b7a6f3c9d0e1b2a3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e8f9a0b1c2d.css",
            "/build/chunk-QXH4XVJ7.js",
            "/_astro/page.DkX3f_Qa.js",
            "/_app/immutable/chunks/B7kq2XfP.js",
            "/img/logo.5d5d9eefa31e5e13a6610d9fa7a283bb.svg",
        ];
        for path in named_by_content {
            assert!(is_fingerprinted(path), "{path}");
        }
        let named_by_people = [
            "/",
            "/index.html",
            "/app.js",
            "/assets/index.css",
            "/favicon.ico",
            "/jquery-3.7.1.min.js",
            "/bootstrap.bundle.min.js",
            "/js/MyComponent.js",
            "/js/version2.js",
            "/js/highcharts3d.js",
            "/photos/2024-05-31.jpg",
            "/photos/20240531.jpg",
            "/photos/IMG20240531.jpg",
            "/photos/DSC00012345.png",
            "/docs/understanding-databases.pdf",
            "/docs/understanding_databases.pdf",
            "/api/orders/3f9a1c2b",
            "/api/orders/3f9a1c2b.3f9a1c2b",
            "/users/550e8400-e29b-41d4-a716-446655440000/avatar.png",
            "/commit/3f9a1c2b9d8e7f60/diff",
            "/login.php?token=3f9a1c2b.js",
            "/feedface.js",
            "/.env",
            "/.git/config",
            "",
        ];
        for path in named_by_people {
            assert!(!is_fingerprinted(path), "{path}");
        }
    }
}
