use super::*;

#[test]
fn one_program_takes_the_place_of_the_shell() {
    let made = |command| instead_of_the_shell(command) != command;
    for simple in ["node main.js", " ./run --port $PORT", "python3 -m http.server \"$PORT\""] {
        assert!(made(simple), "{simple}");
    }
    for other in [
        "exec node main.js",
        "cd web && node main.js",
        "A=1 node main.js",
        "node main.js | tee log",
        "export A=1; node main.js",
        "",
    ] {
        assert!(!made(other), "{other}");
    }
}
