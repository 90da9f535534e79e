mod double;

use tempfile::TempDir;
use toehold_core::model::{MachineGoal, MachinePhase, Provider as Kind};
use toehold_core::time::Timestamp;

use super::settings::{usual_image, usual_size};
use super::*;
use double::{Double, Told, told};
use toehold_core::machines::Remedy;
use toehold_scenery::Contract;

const TAG: &str = "toehold-test";
const MAKE: &str = "POST /v2/droplets";

/// An account, and who uses it.
struct Scene {
    cloud: Double,
    provider: DigitalOcean,
    folder: TempDir,
}

impl Scene {
    async fn new() -> Self {
        let cloud = Double::start().await;
        let folder = TempDir::new().expect("a folder can be made");
        let settings = Settings {
            token_file: PathBuf::new(),
            region: "fra1".into(),
            size: usual_size(),
            image: usual_image(),
            vpc: None,
            ssh_keys: Vec::new(),
            allow_from: Vec::new(),
            api_url: cloud.url.clone(),
        };
        let place = Place {
            key: folder.path().join("key"),
            host_keys: folder.path().join("host-keys"),
            tag: TAG.into(),
        };
        let provider = DigitalOcean::new(settings, Secret::new("token"), place);
        let mut provider = provider.expect("it can be set up");
        provider.pace.unclear = Duration::ZERO;
        Self { cloud, provider, folder }
    }

    /// Asks for a machine: `coming 101`, `made 101`, or why not.
    async fn asks(&self, machine: &Machine) -> String {
        match self.provider.ensure(machine).await {
            Ok(Ensured::Made(made)) => format!("made {}", made.provider_id),
            Ok(Ensured::Coming { provider_id }) => {
                format!("coming {}", provider_id.unwrap_or_default())
            }
            Err(error) => error.why,
        }
    }

    /// Nothing that was heard counts any more.
    async fn time_passes(&self) {
        *self.provider.listed.lock().await = None;
    }
}

fn machine(name: &str) -> Machine {
    let at = Timestamp::from_ms(1_800_000_000_000);
    Machine {
        name: name.parse().expect("it is a machine's name"),
        provider: Kind::DigitalOcean,
        app: None,
        goal: MachineGoal::Run,
        phase: MachinePhase::Wanted,
        since: at,
        address: None,
        access: None,
        provider_id: None,
        size: None,
        configured: BTreeMap::new(),
        trouble: None,
        created_at: at,
    }
}

#[tokio::test]
async fn a_machine_is_asked_for_once_and_its_name_there_is_known_at_once() {
    let scene = Scene::new().await;
    let shop = machine("shop-1");
    let coming = scene.asks(&shop).await;
    assert!(coming.starts_with("coming 1"), "{coming}");
    assert_eq!(scene.asks(&shop).await, coming);
    for expected in [coming.clone(), coming.replace("coming", "made")] {
        scene.time_passes().await;
        assert_eq!(scene.asks(&shop).await, expected);
    }
    let called = scene.cloud.called(MAKE);
    assert_eq!((called.len(), called[0].status), (1, 202));
    assert_eq!(called[0].body["tags"], json!([TAG]));
    assert_eq!(called[0].answer["droplet"]["name"], "shop-1");
}

#[tokio::test]
async fn what_was_refused_or_broke_is_looked_for_and_asked_for_again() {
    for (status, word) in [(429, "patience"), (500, "in trouble"), (503, "in trouble")] {
        let scene = Scene::new().await;
        let shop = machine("shop-1");
        let headers = vec![("retry-after", "0".to_owned())];
        scene.cloud.answers(Told { headers, ..told(MAKE, status, "no") });
        let why = scene.asks(&shop).await;
        assert!(why.contains(word), "{why}");
        let looked = scene.cloud.called("GET /v2/droplets").len();
        assert!(scene.asks(&shop).await.starts_with("coming 1"), "it is asked for again");
        assert_eq!(scene.cloud.called("GET /v2/droplets").len(), looked + 1, "it is looked first");
        assert_eq!(scene.cloud.names(), ["shop-1"]);
    }
}

#[tokio::test]
async fn what_was_done_all_the_same_is_found_and_not_asked_for_again() {
    let scene = Scene::new().await;
    let shop = machine("shop-1");
    scene.cloud.answers(Told { is_done: true, ..told(MAKE, 500, "no") });
    let why = scene.asks(&shop).await;
    assert!(why.contains("in trouble"), "{why}");
    assert!(scene.asks(&shop).await.starts_with("coming 1"));
    assert_eq!((scene.cloud.called(MAKE).len(), scene.cloud.names().len()), (1, 1));
}

#[tokio::test]
async fn an_unclear_answer_is_waited_behind_and_longer_each_time() {
    let mut scene = Scene::new().await;
    scene.provider.pace.unclear = PACE.unclear;
    let shop = machine("shop-1");
    scene.cloud.answers(told(MAKE, 500, "no"));
    scene.asks(&shop).await;
    assert_eq!(scene.asks(&shop).await, "coming ", "it may have been made");
    let waits: Vec<u64> = (0..6).map(|before| PACE.after_unclear(before).as_secs()).collect();
    assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
}

#[tokio::test]
async fn one_that_never_becomes_active_is_known_and_can_be_given_back() {
    let scene = Scene::new().await;
    scene.cloud.sticks();
    scene.cloud.has("shop-1", "somebody-else");
    let shop = machine("shop-1");
    let coming = scene.asks(&shop).await;
    let id = coming.strip_prefix("coming ").expect("it is being made").to_owned();
    for _ in 0..3 {
        scene.time_passes().await;
        assert_eq!(scene.asks(&shop).await, coming);
    }
    let failed = Machine { provider_id: Some(id), ..shop };
    scene.provider.remove(&failed).await.expect("it is given back");
    // What carries another mark is not ours, whatever it is called.
    assert_eq!(scene.cloud.names(), ["shop-1"]);
    assert_eq!(scene.provider.observe().await.expect("it answers"), []);
}

#[tokio::test]
async fn what_is_said_while_patience_is_asked_for_stays_the_same() {
    let scene = Scene::new().await;
    let headers = vec![("retry-after", "30".to_owned())];
    scene.cloud.answers(Told { headers, ..told("GET /v2/droplets", 429, "no") });
    let why = scene.asks(&machine("shop-1")).await;
    assert!(why.contains("patience") && !why.contains(|c: char| c.is_ascii_digit()), "{why}");
    assert_eq!(scene.asks(&machine("shop-1")).await, why);
    assert_eq!(scene.cloud.called("").len(), 1, "it is left alone");
}

const FULL: &str = "creating this/these droplet(s) will exceed your droplet limit";

#[tokio::test]
async fn an_account_that_may_have_no_more_is_asked_by_one_name_and_then_left_alone_for_a_while() {
    let scene = Scene::new().await;
    scene.cloud.answers(told(MAKE, 422, FULL));
    let shop = machine("shop-1");
    let error = scene.provider.ensure(&shop).await.expect_err("it is full");
    assert_eq!(error.remedy, Remedy::Account);
    assert!(error.why.contains("droplet limit") && error.why.contains("raised"), "{error}");
    // Another name is refused for the same reason, in the same words, without a call.
    assert_eq!(scene.asks(&machine("shop-2")).await, error.why);
    assert_eq!(scene.cloud.called(MAKE).len(), 1);
    // What is there is looked at and given back all the same.
    scene.provider.observe().await.expect("it answers");
    scene.provider.api.making.pass_at_once();
    assert!(scene.asks(&shop).await.starts_with("coming 1"));
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_no_machines_fault_and_is_waited_with_longer_each_time() {
    let scene = Scene::new().await;
    let mut waits = Vec::new();
    for _ in 0..6 {
        scene.cloud.answers(told("GET /v2/droplets", 401, "Unable to authenticate you"));
        let error = scene.provider.ensure(&machine("shop-1")).await.expect_err("it is refused");
        assert_eq!(error.remedy, Remedy::Account);
        assert!(error.why.contains("token_file"), "{error}");
        waits.push(scene.provider.api.all.left().as_secs() + 1);
        scene.provider.api.all.pass_at_once();
    }
    assert_eq!(waits, [10, 20, 40, 80, 160, 300]);
    assert!(scene.asks(&machine("shop-1")).await.starts_with("coming 1"), "it is accepted again");
}

#[tokio::test]
async fn where_no_call_is_left_nobody_calls_until_there_are_some_again() {
    let scene = Scene::new().await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let reset = now.expect("it is after 1970").as_secs() + 100;
    let headers = vec![
        ("ratelimit-limit", "5000".to_owned()),
        ("ratelimit-remaining", "0".to_owned()),
        ("ratelimit-reset", reset.to_string()),
    ];
    let none_left = Told { headers, ..told("GET /v2/droplets", 200, "") };
    scene.cloud.answers(none_left);
    scene.asks(&machine("shop-1")).await;
    let left = scene.provider.api.all.left().as_secs();
    assert!((90..=100).contains(&left), "{left}");
    let calls = scene.cloud.called("").len();
    assert!(scene.asks(&machine("shop-1")).await.contains("patience"));
    assert_eq!(scene.cloud.called("").len(), calls);
}

#[tokio::test]
async fn keys_of_the_account_are_let_in_where_they_are_named() {
    let mut scene = Scene::new().await;
    scene.asks(&machine("shop-1")).await;
    let text = "token_file = \"t\"\nregion = \"fra1\"\nssh_keys = [512190, \"3b:16:bf:e4\"]\n";
    let set: Settings = toml::from_str(text).expect("it is well-formed");
    scene.provider.settings.ssh_keys = set.ssh_keys;
    scene.asks(&machine("shop-2")).await;
    let called = scene.cloud.called(MAKE);
    assert_eq!(called[0].body["ssh_keys"], Value::Null);
    assert_eq!(called[1].body["ssh_keys"], json!([512_190, "3b:16:bf:e4"]));
}

#[tokio::test]
async fn what_a_machine_is_told_passes_cloud_inits_own_judgement() {
    let scene = Scene::new().await;
    scene.asks(&machine("shop-1")).await;
    let body = scene.cloud.called(MAKE)[0].body.clone();
    let text = body["user_data"].as_str().expect("it is a text").to_owned();
    judge(&scene, &text, true);
    judge(&scene, &text.replace("false", "\"no\""), false);
}

/// Whether cloud-init finds this right.
fn judge(scene: &Scene, text: &str, is_right: bool) {
    let file = scene.folder.path().join("user-data");
    std::fs::write(&file, text).expect("it can be written");
    let output = std::process::Command::new("cloud-init")
        .args(["schema", "-c"])
        .arg(&file)
        .output()
        .expect("cloud-init runs: script/test sees to it");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let said = said + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.success(), is_right, "{said}");
    assert!(said.contains(if is_right { "Valid" } else { "is not of type" }), "{said}");
}

/// The addresses of the usual Toehold.
fn ours() -> Vec<String> {
    vec!["203.0.113.7/32".into()]
}

#[tokio::test]
async fn what_was_made_before_a_start_is_guarded_after_it_by_one_look() {
    let mut scene = Scene::new().await;
    scene.asks(&machine("shop-1")).await;
    scene.provider.observe().await.expect("it answers");
    assert_eq!((scene.cloud.firewalls().len(), scene.provider.guard()), (0, Guard::None));
    // Somebody names who may come in, and starts Toehold again.
    scene.provider.settings.allow_from = ours();
    assert_eq!(scene.provider.guard(), Guard::Unseen);
    for _ in 0..3 {
        scene.provider.observe().await.expect("it answers");
        assert_eq!(scene.provider.guard(), Guard::Stands);
    }
    let firewalls = scene.cloud.firewalls();
    assert_eq!((firewalls.len(), &firewalls[0]["tags"]), (1, &json!([TAG])));
    assert_eq!(scene.cloud.called("GET /v2/firewalls").len(), 1, "it is no matter of each look");
}

#[tokio::test]
async fn a_firewall_that_could_not_be_seen_to_is_said_and_tried_again_with_patience() {
    let mut scene = Scene::new().await;
    scene.provider.settings.allow_from = ours();
    scene.cloud.has("shop-1", TAG);
    scene.cloud.answers(told("POST /v2/firewalls", 500, "no"));
    for _ in 0..3 {
        assert_eq!(scene.provider.observe().await.expect("what is there is said").len(), 1);
        let guard = scene.provider.guard();
        assert!(matches!(&guard, Guard::Failed { why } if why.contains("trouble")), "{guard:?}");
    }
    assert_eq!(scene.cloud.called("POST /v2/firewalls").len(), 1, "it is left alone for a while");
    scene.provider.watch.again.pass_at_once();
    scene.provider.observe().await.expect("it answers");
    assert_eq!((scene.provider.guard(), scene.cloud.firewalls().len()), (Guard::Stands, 1));
}

#[tokio::test]
async fn a_firewall_that_is_not_as_ours_is_set_right_whatever_was_changed() {
    let mut scene = Scene::new().await;
    scene.provider.settings.allow_from = ours();
    scene.provider.observe().await.expect("it answers");
    let right = scene.cloud.firewalls();
    let changes: [(&str, Value); 8] = [
        ("/tags", json!([])),
        ("/tags", json!(null)),
        ("/tags", json!(["another"])),
        ("/inbound_rules", json!(null)),
        ("/inbound_rules/0/protocol", json!("udp")),
        ("/inbound_rules/0/sources/addresses", json!(["0.0.0.0/0"])),
        ("/inbound_rules/0/sources", json!({ "addresses": ours(), "tags": ["gateway"] })),
        ("/inbound_rules/1/sources", json!({ "addresses": ours(), "droplet_ids": [7] })),
    ];
    for (at, what) in changes {
        scene.cloud.changes_firewall(at, &what);
        assert_ne!(scene.cloud.firewalls(), right, "{at}");
        scene.provider.watch.forget();
        scene.provider.observe().await.expect("it answers");
        assert_eq!(scene.cloud.firewalls(), right, "{at}: {what}");
    }
    // What the API adds of its own is no change.
    let sources = json!({ "addresses": ours(), "tags": [], "droplet_ids": null });
    scene.cloud.changes_firewall("/inbound_rules/0/sources", &sources);
    let before = scene.cloud.called("PUT").len();
    scene.provider.watch.forget();
    scene.provider.observe().await.expect("it answers");
    assert_eq!(scene.cloud.called("PUT").len(), before);
}

#[tokio::test]
async fn what_is_asked_and_what_the_double_answers_hold_to_the_contract() {
    let Some(contract) = Contract::beside_the_project() else { return };
    let mut scene = Scene::new().await;
    scene.cloud.has("stranger", TAG);
    scene.provider.settings.vpc = Some("760e09ef-dc84-11e8-981e-3cfdfeaae000".into());
    scene.provider.settings.ssh_keys = vec![settings::SshKey::Id(7)];
    scene.provider.settings.allow_from = ours();
    let shop = machine("shop-1");
    scene.cloud.answers(told(MAKE, 422, FULL));
    scene.asks(&shop).await;
    scene.provider.api.making.pass_at_once();
    for _ in 0..3 {
        scene.asks(&shop).await;
        scene.time_passes().await;
    }
    scene.cloud.changes_firewall("/inbound_rules/0/sources/addresses", &json!(["0.0.0.0/0"]));
    scene.provider.watch.forget();
    scene.asks(&machine("shop-2")).await;
    scene.provider.prices().await.expect("it answers");
    for given in scene.provider.observe().await.expect("it answers") {
        scene.provider.discard(&given).await.expect("it is given back");
        scene.provider.discard(&given).await.expect("it is given back already");
    }
    scene.provider.remove(&shop).await.expect("nothing is left");
    let called = scene.cloud.called("");
    let verbs = ["GET", "POST", "PUT", "DELETE"];
    assert!(verbs.iter().all(|verb| called.iter().any(|it| it.call.starts_with(verb))));
    let breaches: Vec<String> = called.iter().flat_map(|it| contract.breaches(it)).collect();
    assert_eq!(breaches, Vec::<String>::new());
    // It is no judge that finds everything right.
    let mut wrong = called[0].clone();
    wrong.answer["meta"] = json!({});
    assert!(!contract.breaches(&wrong).is_empty());
    let mut wrong = scene.cloud.called(MAKE)[0].clone();
    wrong.body["image"] = Value::Null;
    assert!(!contract.breaches(&wrong).is_empty());
}
