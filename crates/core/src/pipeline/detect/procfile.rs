//! `Procfile`: a line a process, `web: node main.js`.

use super::{DetectError, Detected, Files, python};

pub(super) fn detect(files: &Files, found: &mut Detected) -> Result<(), DetectError> {
    let text = files.text("Procfile").unwrap_or_default();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let named = line.split_once(':').map(|(name, command)| (name.trim(), command.trim()));
        let Some((name, command)) = named.filter(|(_, command)| !command.is_empty()) else {
            let what = "is not `name: command`, such as `web: node main.js`".to_owned();
            return Err(DetectError { file: "Procfile".into(), line: index + 1, what });
        };
        // A Python app's packages lie in its folder, where nothing looks for them by itself.
        let is_python = found.install.as_ref().is_some_and(|it| it.contains("pip install"));
        let whole =
            if is_python { format!("{} {command}", python::ENV) } else { command.to_owned() };
        match name {
            "web" => found.web = Some(whole),
            "release" => found.release = Some(whole),
            _ => {
                found.say(format!("{name}: passed over; only web and release are run (Procfile)"));
                continue;
            }
        }
        found.say(format!("{name}: {command} (Procfile)"));
    }
    Ok(())
}
