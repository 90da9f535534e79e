//! The table.

use axum::http::Method;
use axum::routing::{MethodRouter, delete, get, options, post, put};

use super::Need::{
    Admin, Deploy, Flag, Known, Look, LookAtAll, Nothing, Owner, SomeAlert, SomeDeploy,
    SomeEvaluate, SomeFlag,
};
use super::{Need, Route, Voice};
use crate::door::Door;
use crate::door::api::{apps, builds, events, flags, health, instances, machines, people, secrets};
use crate::door::{
    act, alertmanager, assets, desk, forge, git, jenkins, metrics, ofrep, openapi, origin, stream,
};

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const DELETE: Method = Method::DELETE;
const OPTIONS: Method = Method::OPTIONS;

/// How a route is served.
type Serve = fn() -> MethodRouter<Door>;

/// A route for programs.
const fn api(
    method: Method,
    path: &'static str,
    need: Need,
    summary: &'static str,
    serve: Serve,
) -> Route {
    Route { method, path, need, voice: Voice::Json, summary, body: "", serve }
}

/// A route for programs that takes a body.
const fn api_with(
    method: Method,
    path: &'static str,
    need: Need,
    body: &'static str,
    summary: &'static str,
    serve: Serve,
) -> Route {
    Route { method, path, need, voice: Voice::Json, summary, body, serve }
}

/// A route for clients of Jenkins.
const fn ci(
    method: Method,
    path: &'static str,
    need: Need,
    summary: &'static str,
    serve: Serve,
) -> Route {
    Route { method, path, need, voice: Voice::Jenkins, summary, body: "", serve }
}

/// A page.
const fn page(
    method: Method,
    path: &'static str,
    need: Need,
    summary: &'static str,
    serve: Serve,
) -> Route {
    Route { method, path, need, voice: Voice::Page, summary, body: "", serve }
}

/// A route for git.
const fn git(
    method: Method,
    path: &'static str,
    need: Need,
    summary: &'static str,
    serve: Serve,
) -> Route {
    Route { method, path, need, voice: Voice::Git, summary, body: "", serve }
}

/// Every route there is: a line each, to be read across.
#[rustfmt::skip]
pub static ROUTES: &[Route] = &[
    api(GET, "/api/v1/openapi.json", Known, "This description", || get(openapi::describe)),
    api(GET, "/api/v1/version", Known, "The version that runs", || get(health::version)),
    api(GET, "/api/v1/health", LookAtAll, "Whether all is well, and what to do where it is not", || get(health::health)),
    api(GET, "/healthz", Nothing, "Whether the control plane answers: nothing else is said", || get(health::alive)),
    api(GET, "/api/v1/apps", Known, "The names of the apps one may see", || get(apps::list)),
    api_with(POST, "/api/v1/apps", Admin, "NewApp", "Make an app and its repository", || post(apps::create)),
    api(GET, "/api/v1/apps/{app}", Look, "Everything of an app at one glance", || get(apps::view)),
    api(GET, "/api/v1/apps/{app}/look", Deploy, "How to look at the canary before anyone else: a header and a cookie with the app's secret", || get(apps::look)),
    api_with(POST, "/api/v1/apps/{app}/wishes", Deploy, "Wish", "Promote, abort, roll back, split, scale …", || post(apps::wish)),
    api_with(POST, "/api/v1/apps/{app}/deploy", Deploy, "DeployRequest", "Build and deploy a commit, or deploy a release again", || post(apps::deploy)),
    api_with(POST, "/api/v1/apps/{app}/push", Owner, "Push", "What a hook of the app's repository was told", || post(apps::push)),
    api(GET, "/api/v1/apps/{app}/releases", Look, "The releases that are kept, newest first", || get(apps::releases)),
    api(GET, "/api/v1/apps/{app}/builds", Look, "The builds that are kept, newest first", || get(builds::list)),
    api(GET, "/api/v1/apps/{app}/builds/{number}", Look, "A build", || get(builds::one)),
    api(GET, "/api/v1/apps/{app}/builds/{number}/log", Look, "What a build said, from the byte `from` on", || get(builds::log)),
    api(POST, "/api/v1/apps/{app}/builds/{number}/cancel", Deploy, "Stop a build", || post(builds::cancel)),
    api(GET, "/api/v1/apps/{app}/instances/{instance}/log", Look, "What an instance said: `offset`, `since` or `tail`, and `max`", || get(instances::log)),
    api(GET, "/api/v1/apps/{app}/metrics", Look, "The last ten minutes by the second, for each release and track", || get(instances::metrics)),
    api(GET, "/api/v1/apps/{app}/events", Look, "What happened: after a revision, or the last", || get(events::of_app)),
    api(GET, "/api/v1/apps/{app}/events/stream", Look, "What happens, as server-sent events", || get(stream::of_app)),
    api(GET, "/api/v1/apps/{app}/why", Look, "What led to something being as it is", || get(events::why)),
    api(GET, "/api/v1/events", LookAtAll, "What happened, in every app", || get(events::of_all)),
    api(GET, "/api/v1/events/stream", LookAtAll, "What happens in every app, as server-sent events", || get(stream::of_all)),
    api(GET, "/api/v1/apps/{app}/flags", Look, "The app's flags", || get(flags::all)),
    api(GET, "/api/v1/apps/{app}/flags/{*key}", Look, "A flag", || get(flags::one)),
    api_with(PUT, "/api/v1/apps/{app}/flags/{*key}", Flag, "FlagValue", "Set a flag; one that is not there is made", || put(flags::set)),
    api(POST, "/api/v1/apps/{app}/flags/{*key}", Flag, "Turn a flag over: the key, then `/toggle`", || post(flags::toggle)),
    api(GET, "/api/v1/apps/{app}/secrets", Admin, "The names of the app's secrets; never a value", || get(secrets::names)),
    api_with(PUT, "/api/v1/apps/{app}/secrets/{name}", Admin, "SecretValue", "Set a secret; the next release runs with it", || put(secrets::set)),
    api(DELETE, "/api/v1/apps/{app}/secrets/{name}", Admin, "Remove a secret", || delete(secrets::remove)),
    api(GET, "/api/v1/machines", LookAtAll, "Every machine, wished and seen", || get(machines::list)),
    api_with(POST, "/api/v1/machines", Admin, "NewMachine", "Add a machine that is reached by SSH", || post(machines::add)),
    api_with(POST, "/api/v1/machines/host-key", Admin, "Whose", "The host key a machine shows now", || post(machines::host_key)),
    api(GET, "/api/v1/machines/inventory", LookAtAll, "Every machine SSH leads to, as an inventory of Ansible", || get(machines::inventory)),
    api(GET, "/api/v1/machines/ssh-key", Admin, "The public half of the key Toehold logs in with", || get(machines::ssh_key)),
    api_with(POST, "/api/v1/machines/{machine}/configure", Admin, "Configure", "Run playbooks on a machine again", || post(machines::configure)),
    api(GET, "/api/v1/machines/{machine}/playbook", LookAtAll, "What the last run of a playbook on a machine printed", || get(machines::playbook)),
    api_with(POST, "/api/v1/machines/{machine}/goal", Admin, "NewGoal", "Let a machine take instances, or no more, or be emptied, or given back", || post(machines::set_goal)),
    api(POST, "/api/v1/machines/{machine}/token", Admin, "A token for a machine that joins by itself; it is shown this once", || post(machines::token)),
    api(GET, "/api/v1/tokens", Admin, "Every token, without what is secret of it", || get(people::tokens)),
    api_with(POST, "/api/v1/tokens", Admin, "NewToken", "Make a token; it is shown this once", || post(people::create_token)),
    api(DELETE, "/api/v1/tokens/{id}", Admin, "Take a token back", || delete(people::revoke_token)),
    api(POST, "/api/v1/login-links", Known, "A link that opens the dashboard once, with one's own rights", || post(people::login_link)),
    api(POST, "/api/v1/messages/test", Admin, "Send a message by every channel that is set up", || post(people::test_messages)),
    api(GET, "/metrics", LookAtAll, "The numbers of the control plane, for Prometheus", || get(metrics::control)),
    api(GET, "/metrics/proxy", LookAtAll, "The numbers of the proxy, for Prometheus", || get(metrics::proxy)),
    api(GET, "/metrics/agent/{machine}", LookAtAll, "The numbers of a machine and its instances, for Prometheus", || get(metrics::agent)),
    api(GET, "/api/v1/sd/instances", Known, "Where the instances one may see listen, for Prometheus' http_sd", || get(metrics::instances)),
    api_with(POST, "/api/v1/alertmanager", SomeAlert, "Alerts", "What an Alertmanager's webhook brings, version 4", || post(alertmanager::receive)),
    // The four calls of older set-ups, so that a job that makes them works unchanged but for a token.
    api(POST, "/deploy", SomeDeploy, "Deploy the newest commit of stable", || post(origin::deploy)),
    api(GET, "/deploy", Nothing, "Changes nothing and says so", || get(origin::not_by_get)),
    api(POST, "/canary", SomeDeploy, "Deploy the newest commit of canary", || post(origin::canary)),
    api(GET, "/canary", Nothing, "Changes nothing and says so", || get(origin::not_by_get)),
    api(POST, "/feature", SomeFlag, "Turn the flag feature1 over", || post(origin::feature)),
    api(GET, "/feature", Nothing, "Changes nothing and says so", || get(origin::not_by_get)),
    api(POST, "/webhooks/github/{app}", Nothing, "What GitHub says was pushed, signed by it", || post(forge::github)),
    api(POST, "/webhooks/gitlab/{app}", Nothing, "The same of GitLab, by its token or signed", || post(forge::gitlab)),
    api(POST, "/webhooks/gitea/{app}", Nothing, "The same of Gitea, signed by it", || post(forge::gitea)),
    api(POST, "/webhooks/forgejo/{app}", Nothing, "The same of Forgejo, signed by it", || post(forge::forgejo)),
    api(POST, "/webhooks/bitbucket/{app}", Nothing, "The same of Bitbucket, signed by it", || post(forge::bitbucket)),
    api(GET, "/webhooks/github/{app}", Nothing, "Takes nothing and says so", || get(forge::not_by_get)),
    api(GET, "/webhooks/gitlab/{app}", Nothing, "Takes nothing and says so", || get(forge::not_by_get)),
    api(GET, "/webhooks/gitea/{app}", Nothing, "Takes nothing and says so", || get(forge::not_by_get)),
    api(GET, "/webhooks/forgejo/{app}", Nothing, "Takes nothing and says so", || get(forge::not_by_get)),
    api(GET, "/webhooks/bitbucket/{app}", Nothing, "Takes nothing and says so", || get(forge::not_by_get)),
    api(POST, "/ofrep/v1/evaluate/flags", SomeEvaluate, "OpenFeature: every flag", || post(ofrep::all)),
    api(POST, "/ofrep/v1/evaluate/flags/{*key}", SomeEvaluate, "OpenFeature: one flag", || post(ofrep::one)),
    api(OPTIONS, "/ofrep/v1/evaluate/flags", Nothing, "What a browser asks before", || options(ofrep::preflight)),
    api(OPTIONS, "/ofrep/v1/evaluate/flags/{*key}", Nothing, "What a browser asks before", || options(ofrep::preflight)),
    // The part of Jenkins' own API that its clients use: a job is an app.
    ci(GET, "/jenkins", Nothing, "That it speaks like Jenkins", || get(jenkins::root)),
    ci(GET, "/jenkins/", Nothing, "That it speaks like Jenkins", || get(jenkins::root)),
    ci(GET, "/jenkins/me/api/json", Known, "Who asks", || get(jenkins::me)),
    ci(GET, "/jenkins/api/json", Known, "The jobs one may see", || get(jenkins::jobs)),
    ci(GET, "/jenkins/queue/api/json", Known, "The builds that wait", || get(jenkins::queue::waiting)),
    ci(GET, "/jenkins/queue/item/{id}/api/json", Known, "A build that was asked for", || get(jenkins::queue::item)),
    ci(GET, "/jenkins/job/{app}", Nothing, "The way to the app's page", || get(jenkins::to_app)),
    ci(GET, "/jenkins/job/{app}/", Nothing, "The way to the app's page", || get(jenkins::to_app)),
    ci(GET, "/jenkins/job/{app}/api/json", Look, "A job and its builds", || get(jenkins::job)),
    ci(POST, "/jenkins/job/{app}/build", Deploy, "Build and deploy the newest commit", || post(jenkins::trigger::build)),
    ci(POST, "/jenkins/job/{app}/buildWithParameters", Deploy, "Build and deploy: `track`, `branch`, `commit`", || post(jenkins::trigger::build)),
    ci(GET, "/jenkins/job/{app}/{build}/", Nothing, "The way to a build's page", || get(jenkins::build::to_page)),
    ci(GET, "/jenkins/job/{app}/{build}/api/json", Look, "A build: a number, `lastBuild`, `lastSuccessfulBuild` …", || get(jenkins::build::one)),
    ci(GET, "/jenkins/job/{app}/{build}/consoleText", Look, "All a build said", || get(jenkins::build::console)),
    ci(GET, "/jenkins/job/{app}/{build}/logText/progressiveText", Look, "What a build said, from the byte `start` on", || get(jenkins::build::progressive)),
    ci(GET, "/jenkins/job/{app}/{build}/testReport/api/json", Look, "The tests of a build", || get(jenkins::build::tests)),
    ci(POST, "/jenkins/job/{app}/{build}/stop", Deploy, "Stop a build", || post(jenkins::build::stop)),
    ci(POST, "/jenkins/notify", SomeDeploy, "What the Notification plugin says of a job", || post(jenkins::notify::take)),
    // The token is read by the handler: it may stand in the address here, and nowhere else.
    ci(POST, "/jenkins/generic-webhook-trigger/invoke", Nothing, "What woke a job by the Generic Webhook Trigger plugin", || post(jenkins::invoke::invoke)),
    ci(POST, "/generic-webhook-trigger/invoke", Nothing, "The same where Jenkins lay at the root", || post(jenkins::invoke::invoke)),
    git(GET, "/git/{repository}/info/refs", Look, "What git asks first; for a push, `deploy:APP` is needed", || get(git::refs)),
    git(POST, "/git/{repository}/git-receive-pack", Deploy, "git push", || post(git::push)),
    git(POST, "/git/{repository}/git-upload-pack", Look, "git fetch", || post(git::fetch)),
    page(GET, "/", Known, "Every app", || get(desk::apps)),
    page(GET, "/apps/{app}", Look, "An app", || get(desk::app)),
    page(GET, "/apps/{app}/live", Look, "The parts of an app's page that changed", || get(desk::live)),
    page(GET, "/apps/{app}/builds/{number}", Look, "A build", || get(desk::build)),
    page(GET, "/apps/{app}/log/{instance}", Look, "What an instance said", || get(desk::log)),
    page(GET, "/apps/{app}/why", Look, "What led to something being as it is", || get(desk::why)),
    page(POST, "/apps/{app}/wishes", Deploy, "Promote, abort, roll back …", || post(desk::wish)),
    page(POST, "/apps/{app}/builds/{number}/cancel", Deploy, "Stop a build", || post(desk::cancel)),
    page(POST, "/apps/{app}/flags", Flag, "Turn a flag", || post(desk::flag)),
    page(GET, "/act/{link}", Nothing, "What a link of a message would do: asks once more", || get(act::ask)),
    page(POST, "/act/{link}", Nothing, "Do what a link of a message offers, once", || post(act::act)),
    page(GET, "/login", Nothing, "The way in", || get(desk::login)),
    page(POST, "/login", Nothing, "The way in", || post(desk::enter)),
    page(POST, "/logout", Nothing, "The way out", || post(desk::leave)),
    page(GET, "/assets/{name}", Nothing, "The style, the script and the mark of the pages", || get(assets::serve)),
    page(GET, "/favicon.ico", Nothing, "The mark", || get(assets::mark)),
];
