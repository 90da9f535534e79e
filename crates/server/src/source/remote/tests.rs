use super::*;

#[test]
fn what_people_write_is_taken() {
    for good in [
        "https://github.com/acme/shop.git",
        "http://127.0.0.1:3000/acme/shop",
        "ssh://git@github.com:22/acme/shop.git",
        "git@github.com:acme/shop.git",
        "file:///srv/git/shop.git",
        "/srv/git/shop.git",
    ] {
        assert_eq!(good.parse::<Remote>().map(|it| it.to_string()).as_deref(), Ok(good));
    }
}

#[test]
fn what_could_run_something_or_leak_is_refused() {
    for bad in [
        "",
        "ext::sh -c reboot",
        "ext::reboot",
        "fd::17",
        "--upload-pack=reboot",
        "-oProxyCommand=reboot:x",
        "ssh://-oProxyCommand=reboot/x",
        "ssh://git@-oProxyCommand=reboot/x",
        "git://github.com/acme/shop",
        "ftp://host/x",
        "shop.git",
        "./shop.git",
        "file://host/x",
        "https:///x",
        "https://user:pw@host/x",
        "https://host/\nx",
        "http://169.254.169.254/latest/meta-data",
        "http://169.254.169.254:80/x",
        "http://[fe80::1]/x",
        "http://[::ffff:169.254.169.254]/x",
        "ssh://git@0.0.0.0/x",
        "https://ho st/x",
    ] {
        assert!(bad.parse::<Remote>().is_err(), "{bad:?} was taken");
    }
}

#[test]
fn a_password_is_not_repeated() {
    let error = "https://me:hunter2@host/x".parse::<Remote>().expect_err("it is refused");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn a_token_goes_to_the_host_only() {
    let remote: Remote = "https://git.example.com:8443/a/b.git".parse().expect("it is good");
    assert_eq!(remote.http_origin().as_deref(), Some("https://git.example.com:8443/"));
    let remote: Remote = "git@host:a/b".parse().expect("it is good");
    assert_eq!(remote.http_origin(), None);
}
