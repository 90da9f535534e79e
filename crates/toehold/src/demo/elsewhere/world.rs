//! What Toehold meets in this story: a network of hosts, the cloud they belong to, a forge and a
//! mail server.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use toehold_scenery::{Cloud, Forge, MailServer, Network, SceneryError};

use super::super::Teller;
use super::super::postbox::Postbox;
use super::super::stage::{Stage, free_port, needs};
use crate::report::{Failure, Outcome};

/// What the forge signs with.
const SECRET: &str = "a secret of the forge";

/// What Toehold logs in with at the mail server.
const PASSWORD: &str = "a password of the mail server";

/// The Python that has the mail server.
const PYTHON: &str = "python3";

/// All of it; it ends with this.
pub struct World {
    /// Gives machines.
    pub cloud: Cloud,
    forge: Forge,
    settings: String,
    _mail: MailServer,
}

impl World {
    /// Makes it; what it keeps lies in `root`.
    pub fn make(teller: &Teller, root: &Path, postbox: &Postbox) -> Result<Self, Failure> {
        for program in ["ip", "unshare", "nsenter", "pgrep", "ssh", "ssh-keygen", "/usr/sbin/sshd"]
        {
            needs(program)?;
        }
        needs("ansible-playbook")?;
        teller.act("A forge, a cloud and a mail server")?;
        let folder = root.join("world");
        let file = |name: &str| folder.join(name);
        std::fs::create_dir_all(&folder).map_err(|error| cannot(&error))?;
        let network = Network::new(&folder).map_err(|error| cannot(&error))?;
        let gateway = network.gateway();
        let cloud = Cloud::new(network).map_err(|error| cannot(&error))?;
        let forge = Forge::new(&file("tokens.git"), "acme/tokens", SECRET);
        let forge = forge.map_err(|error| cannot(&error))?;
        teller.happened("a forge with a repository, and a cloud without machines")?;
        let (mail, mail_settings) = mail(teller, &folder, postbox)?;
        for (name, text) in
            [("cloud-token", Cloud::TOKEN), ("forge-secrets", SECRET), ("mail-password", PASSWORD)]
        {
            std::fs::write(file(name), text).map_err(|error| cannot(&error))?;
        }
        let settings = format!(
            "[machines]\nlisten = \"{gateway}:{}\"\nidle = \"5s\"\n\n\
             [machines.digitalocean]\ntoken_file = \"{}\"\nregion = \"fra1\"\napi_url = \"{}\"\n\
             allow_from = [\"203.0.113.7/32\"]\n\n\
             [apps.tokens.github]\nrepository = \"acme/tokens\"\nurl = \"file://{}\"\n\
             secrets_file = \"{}\"\npoll = \"off\"\n\n{mail_settings}",
            free_port()?,
            file("cloud-token").display(),
            cloud.url(),
            forge.repository().display(),
            file("forge-secrets").display(),
        );
        Ok(Self { cloud, forge, settings, _mail: mail })
    }

    /// How Toehold is told of it, in `server.toml`.
    pub fn settings(&self) -> &str {
        &self.settings
    }

    /// Pushes what is committed to a branch of the forge, and lets the forge tell Toehold.
    pub fn push(&mut self, stage: &Stage, branch: &str) -> Outcome {
        let remote = self.forge.repository().display().to_string();
        stage.git(&[
            "push",
            "--quiet",
            "--force",
            &remote,
            &format!("HEAD:refs/heads/{branch}"),
        ])?;
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, stage.api));
        let told = self.forge.tell(to, "/webhooks/github/tokens", branch);
        match told.map_err(|error| cannot(&error))? {
            200..=299 => Ok(()),
            status => Err(Failure::no(format!("a delivery of the forge was answered by {status}"))),
        }
    }

    /// The host that is the Droplet of this name.
    pub fn with_host<T>(
        &self,
        name: &str,
        deed: impl FnOnce(&mut toehold_scenery::Host) -> Result<T, SceneryError>,
    ) -> Result<T, Failure> {
        let done = self.cloud.with_host(name, deed);
        let done = done.ok_or_else(|| Failure::no(format!("the cloud has no {name} any more")))?;
        done.map_err(|error| cannot(&error))
    }
}

/// A real mail server, and the settings that lead there. What it takes comes into the postbox.
fn mail(
    teller: &Teller,
    folder: &Path,
    postbox: &Postbox,
) -> Result<(MailServer, String), Failure> {
    if !MailServer::is_had(PYTHON) {
        return Err(Failure::user(
            "the demo needs aiosmtpd as its mail server, and it is not here",
        )
        .hint("script/demo sees to it; or: python3 -m pip install aiosmtpd"));
    }
    let postbox = postbox.clone();
    let server = MailServer::start(PYTHON, folder, PASSWORD, move |letter| postbox.put(letter));
    let server = server.map_err(|error| cannot(&error))?;
    teller.happened("a mail server that wants STARTTLS and a password")?;
    let settings = format!(
        "[mail]\nhost = \"localhost\"\nport = {}\nsecurity = \"starttls\"\nusername = \"{}\"\n\
         password_file = \"{}\"\nca_file = \"{}\"\nfrom = \"toehold@localhost\"\n\
         to = [\"team@localhost\"]\n",
        server.port(),
        MailServer::USER,
        folder.join("mail-password").display(),
        server.certificate().display(),
    );
    Ok((server, settings))
}

fn cannot(error: &(dyn std::error::Error + 'static)) -> Failure {
    if let Some(SceneryError::NotRoot) = error.downcast_ref() {
        return Failure::user(
            "the machines of this story are network namespaces, which takes root",
        )
        .hint("as root: script/demo --machines ssh; without: script/demo");
    }
    Failure::world("cannot make what Toehold meets").because(error)
}
