use crate::scene::decides;

#[test]
fn instances_are_spread_over_the_machines_there_are() {
    let two = "machine a ssh; machine b ssh";
    decides("stable=>v1*2 on=ssh", two, "launch 1 stable v1 on a; launch 2 stable v1 on b");
    decides(
        "stable=>v1*3 on=ssh",
        two,
        "launch 1 stable v1 on a; launch 2 stable v1 on b; launch 3 stable v1 on a",
    );
    decides("stable=>v1*1 on=ssh", "machine a ssh busy; machine b ssh", "launch 1 stable v1 on b");
}

#[test]
fn a_machine_that_takes_nobody_is_passed_over() {
    for how in ["closed", "silent", "lost", "emptying"] {
        let sight = format!("machine a ssh {how}; machine b ssh");
        decides("stable=>v1*1 on=ssh", &sight, "launch 1 stable v1 on b");
    }
    decides("stable=>v1*1 on=ssh", "machine a digitalocean", "launch 1 stable v1 nowhere");
}

#[test]
fn a_machine_is_configured_before_it_takes_the_app() {
    decides("stable=>v1*1 on=ssh+playbook", "machine a ssh raw", "launch 1 stable v1 nowhere");
    decides("stable=>v1*1 on=ssh+playbook", "machine a ssh", "launch 1 stable v1 on a");
}

#[test]
fn who_waits_is_placed_when_there_is_a_machine() {
    decides("stable=>v1*1 on=ssh", "#1 stable v1 unseen unplaced", "nothing");
    decides("stable=>v1*1 on=ssh", "machine a ssh; #1 stable v1 unseen unplaced", "place 1 on a");
}

#[test]
fn a_canary_has_a_machine_of_its_own_where_there_is_one() {
    let serving = "machine a ssh; #1 stable v1 up on=a; route 1:0";
    decides(
        "stable=v1*1 canary=v2*1@2:1/starting on=ssh",
        &format!("{serving}; machine b ssh busy"),
        "launch 2 canary v2 on b",
    );
    decides("stable=v1*1 canary=v2*1@2:1/starting on=ssh", serving, "launch 2 canary v2 on a");
    let made = "machine a digitalocean; #1 stable v1 up on=a; route 1:0";
    decides(
        "stable=v1*1 canary=v2*1@2:1/starting on=digitalocean",
        made,
        "launch 2 canary v2 nowhere",
    );
}

#[test]
fn the_next_release_takes_the_machines_of_the_one_before() {
    decides(
        "stable=v1>v2*2 on=digitalocean",
        "machine a digitalocean; machine b digitalocean; #1 stable v1 up on=a; \
         #2 stable v1 up on=b; route 1:0",
        "launch 3 stable v2 on a; launch 4 stable v2 on b",
    );
    decides(
        "stable=v1*2 on=digitalocean",
        "machine a digitalocean; #1 stable v1 up on=a; route 1:0",
        "launch 2 stable v1 nowhere",
    );
}

#[test]
fn what_a_lost_machine_had_is_replaced_and_forgotten() {
    let two = "machine b ssh; #2 stable v1 up on=b; route 1:0";
    decides(
        "stable=v1*2 on=ssh",
        &format!("machine a ssh lost; #1 stable v1 unseen on=a; {two}"),
        "launch 3 stable v1 on b; route 1:0 v1(2); drain 1",
    );
    decides(
        "stable=v1*1 on=ssh",
        &format!("machine a ssh lost; #1 stable v1 unseen on=a stopping; {two}"),
        "forget 1",
    );
    // A machine nobody has heard of for a while is not a lost one.
    decides(
        "stable=v1*1 on=ssh",
        &format!("machine a ssh silent; #1 stable v1 unseen on=a stopping; {two}"),
        "nothing",
    );
}

#[test]
fn a_silent_machine_keeps_its_traffic_and_holds_up_nobody_else() {
    let sight = "machine a ssh silent; machine b ssh; #1 stable v1 up on=a; #2 stable v1 up on=b; \
                 route 1:0";
    decides("stable=v1*2 on=ssh", sight, "nothing");
    decides("stable=v1>v2*2 on=ssh", sight, "launch 3 stable v2 on b; launch 4 stable v2 on b");
    decides(
        "stable=v1>v2*2 on=ssh",
        &format!("{sight}; #3 stable v2 up on=b; #4 stable v2 up on=b"),
        "done v2; route 1:0 v2(3 4); drain 1; drain 2",
    );
}

#[test]
fn a_machine_is_emptied_without_a_gap() {
    let sight = "machine a ssh emptying; machine b ssh; #1 stable v1 up on=a; route 1:0";
    decides("stable=v1*1 on=ssh", sight, "launch 2 stable v1 on b");
    decides("stable=v1*1 on=ssh", &format!("{sight}; #2 stable v1 starting on=b"), "nothing");
    decides(
        "stable=v1*1 on=ssh",
        "machine a ssh emptying; machine b ssh; #1 stable v1 up on=a; route 1:0; #2 stable v1 up on=b",
        "route 1:0 v1(2); drain 1",
    );
}
