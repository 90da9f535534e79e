//! An agent that speaks of what is not on its machine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use toehold_core::model::{Goal, Instance, InstanceId, MachineName, Number, Place, Track};
use toehold_core::wire::Order;
use toehold_core::wire::agent::{FromAgent, MachineReading, Report};
use toehold_core::wire::call::{CONTROL_NAME, Call, Join};
use toehold_host::tls::known_connector;
use toehold_host::{digest, link};
use toehold_server::clock::{Clock, SystemClock};
use toehold_server::store::Write;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::ask::{Ask, PATIENCE};
use crate::pretend::{self, Pretend};
use crate::shop;
use crate::stage::Stage;

/// Comes before the machine Toehold runs on, so that whoever takes the first word heard takes its.
const ABROAD: &str = "abroad";
const ADDRESS: &str = "127.0.0.9";

/// The shop, with an instance here of which the agent here says nothing; and the machine abroad.
async fn stage() -> Stage {
    let before = shop::written_with(|app| {
        app.instances.push(Instance {
            id: InstanceId::new(shop::name(), 4),
            release: Number(42),
            track: Track::Stable,
            goal: Goal::Run,
            created_at: SystemClock.now(),
            place: Some(Place { machine: MachineName::local(), since: SystemClock.now() }),
        });
        (app.next_instance, app.scale.wanted) = (5, 3);
    });
    let machine = json!({
        "name": ABROAD, "provider": "ssh", "app": null, "goal": "run",
        "phase": { "state": "ready" }, "since": 1_000, "address": ADDRESS, "access": null,
        "provider_id": null, "size": null, "created_at": 1_000,
    });
    let key = format!("machine/{ABROAD}").parse().expect("it is a key");
    Stage::with(before.write(Write::put(key, &machine)), |_| {}).await
}

/// What it says of instances that run here: that they are well, and with itself.
fn lies(applied: Order) -> Report {
    let at = SystemClock.now();
    let lie = |ordinal| {
        let mut status = pretend::status(ordinal, 42, 1.0, at);
        status.addr = Some(format!("{ADDRESS}:4666{ordinal}").parse().expect("an address"));
        status
    };
    Report { at, applied, instances: vec![lie(1), lie(4)], machine: MachineReading::default() }
}

/// Its agent joins as any does, dials in and speaks.
async fn agent_abroad(stage: &Stage) -> JoinSet<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let at = listener.local_addr().expect("it has an address");
    let (authority, shelf) = (Arc::clone(&stage.authority), stage.path().join("shelf"));
    let shelf = move |_: &_| shelf.clone();
    let listens = stage.fleet.listen_for_machines(listener, authority, shelf, &stage.shutdown);
    listens.expect("it listens");
    let machine: MachineName = ABROAD.parse().expect("a machine's name");
    let token = stage.authority.invite(&machine, "ann").await.expect("a token");
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
    let public_key = STANDARD.encode(key.public_key_raw());
    let join = Join { token: token.reveal().to_owned(), public_key };
    let joined = stage.authority.admit(&join, ADDRESS).await.expect("it is let in");
    let connector = known_connector(
        joined.certificate.pem.as_bytes(),
        key.serialize_pem().as_bytes(),
        joined.authority.as_bytes(),
    );
    let name = ServerName::try_from(CONTROL_NAME).expect("it is a name");
    let stream = TcpStream::connect(at).await.expect("somebody listens");
    let stream = connector.expect("it can dial").connect(name, stream).await.expect("it is known");
    let (reader, mut writer) = link::split(stream);
    writer.send(&Call::Work).await.expect("it is heard");
    // One that is another program would be replaced.
    let program = digest::of_file("/proc/self/exe".as_ref()).await.ok();
    let hello = FromAgent::Hello { machine, version: "0".into(), program };
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { pretend::speak(reader, writer.saying(), &hello, lies).await });
    tasks
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn shop(stage: &Stage) -> Value {
    stage.owner(Ask::get("/api/v1/apps/shop")).await.is(200).json()
}

/// Where each instance that is seen is.
fn seen(shop: &Value) -> BTreeMap<String, String> {
    let all = shop["instances"].as_array().expect("a list").iter();
    let of = |it: &Value| {
        let addr = it["status"]["addr"].as_str()?;
        Some((it["instance"]["id"].as_str()?.to_owned(), addr.to_owned()))
    };
    all.filter_map(of).collect()
}

/// Where visitors are sent.
fn targets(shop: &Value) -> BTreeMap<String, String> {
    let arms = shop["route"]["arms"].as_array().expect("a list").iter();
    let targets = arms.flat_map(|it| it["targets"].as_array().expect("a list"));
    let text = |it: &Value| it.as_str().expect("a text").to_owned();
    targets.map(|it| (text(&it["instance"]), text(&it["addr"]))).collect()
}

fn here(ordinals: &[u64]) -> BTreeMap<String, String> {
    let of = |it: &u64| (format!("shop/web.{it}"), format!("127.0.0.1:4100{it}"));
    ordinals.iter().map(of).collect()
}

#[tokio::test]
async fn what_an_agent_says_of_another_machines_instances_changes_nothing() {
    let stage = stage().await;
    let _here = Pretend::begin(&stage);
    until("the agent here is heard", async || seen(&shop(&stage).await) == here(&[1, 2, 3])).await;
    let _abroad = agent_abroad(&stage).await;
    until("the one abroad is heard, with all it says", async || {
        let agents = stage.fleet.agents();
        agents.iter().any(|(name, it)| name.as_str() == ABROAD && it.report.instances.len() == 2)
    })
    .await;
    assert_eq!(targets(&shop(&stage).await), here(&[1, 2, 3]));
    // Whatever is decided from now on is decided with its words at hand.
    let abort = Ask::post("/api/v1/apps/shop/wishes").json(&json!({ "wish": "abort" }));
    stage.owner(abort).await.is(200);
    until("that is decided", async || !targets(&shop(&stage).await).contains_key("shop/web.3"))
        .await;
    let shop = shop(&stage).await;
    assert_eq!(targets(&shop), here(&[1, 2]));
    let seen = seen(&shop);
    assert_eq!(seen.get("shop/web.1"), here(&[1]).get("shop/web.1"));
    assert_eq!(seen.get("shop/web.4"), None, "nobody who may has spoken of it");
    stage.end().await;
}
