//! The documentation of the settings, made from the table.

use crate::{
    cli::value_name,
    resolve::env_names,
    table::{Activity, Changer, Section, Setting, settings},
};

const INTRODUCTION: &str = r#"<!-- Made from the table in host/config. Do not edit: SELKIES_BLESS=1 cargo test -p selkies-config -->
# Configuration

Every setting can be given in four places. The first that has it wins:

1. the command line: `--jpeg-quality 60`
2. its variable: `SELKIES_JPEG_QUALITY=60`
3. an older variable, where the table names one: `CUSTOM_WS_PORT=8082`
4. the configuration file, named by `--config FILE` or `SELKIES_CONFIG`

`selkies-host config explain NAME` shows what each place says and which one won. A value that is not allowed stops the
host before it listens, with exit code 2 and one line per mistake: a code, then the file, line, column and JSON pointer,
or the variable, or the flag, then what was found and what is allowed. `selkies-host config check FILE` does the same
without starting. An empty variable counts as unset, except for lists, which it empties.

## Values

| kind | text | meaning |
|---|---|---|
| BOOL | `true`, `false`, `1`, `0` | on or off; with `\|locked` behind it, as in `true\|locked`, browsers may not change it |
| NAME[,NAME] | `jpeg` or `x264enc,jpeg` | the first is the default, all are the menu in the browser; a single one locks it |
| LIST | `upload,download` | any of the names; empty or `none` for none |
| MIN-MAX | `8-120` | what the browser may choose from; a single number, `60`, locks it; `60,8-120` also says where it starts |
| NUMBER, TEXT, WxH | `8082`, `:0`, `8192x4096` | just that |

Setting `manual_width`, `manual_height` or `is_manual_resolution_mode` fixes the size of the screen for all browsers; a
side that is not given is 1024 wide or 768 high.

Newer names of Selkies are accepted in all places (`video_crf` for `h264_crf`, `h264enc` for `x264enc`).
Where other machines can connect (`addr`), a password is needed, or `allow_unauthenticated`. The same goes for
`master_token`: this version asks nobody for tokens, so it does not start with one unless `allow_unauthenticated` is set.

## The file

JSON, at most 1 MiB, described by `schemas/selkies-host.schema.json`, which editors use to complete and check it;
`selkies-host config schema` prints the same with the plugins that are installed. Each plugin's `config` is judged by the
plugin's own schema, and a plugin that is not there is a mistake. Values may be written as text, as above, or as JSON:
`true`, `60`, `["jpeg", "x264enc"]`.

```json
{
  "$schema": "./schemas/selkies-host.schema.json",
  "plugins": {
    "paths": ["./plugins"],
    "allow": ["selkies.*", "acme.*"],
    "deny": ["acme.experimental"],
    "require_signature": false,
    "trusted_keys": [],
    "isolation": { "default": "process", "allow-in-process": ["selkies.*", "acme.fastenc"] }
  },
  "settings": { "encoder": "jpeg", "framerate": "8-120" },
  "capture": { "plugin": "selkies.x11", "config": { "display": ":0" } },
  "encoders": [{ "name": "jpeg", "plugin": "selkies.striped-jpeg", "config": { "threads": 2 } }],
  "transports": [{ "plugin": "selkies.websocket" }],
  "input": [{ "plugin": "selkies.x11" }]
}
```

Without a section, its usual plugin is used: `selkies.x11` for pictures and input, `selkies.websocket` as transport, and
every encoder that is found.

### Which plugins, and where

Folders are searched in this order: `--plugins DIR`, `plugins.paths`, `SELKIES_PLUGIN_PATH` (separated by colons),
`~/.local/lib/selkies-host/plugins`, `plugins` beside the program, `/usr/lib/selkies-host/plugins`. Of two plugins with
one id the first that may be used is taken. `selkies-host plugins list` shows what is found and why it may or may not be
used, and runs none of it. Signatures, quarantine and safe mode: see [plugins.md](plugins.md).

`plugins.allow` and `plugins.deny` are patterns of ids (`*`: any text, `?`: one character). Only what `allow` covers and
`deny` does not is used. Without them, everything is.

A plugin inside the host is trusted like the host itself: when it crashes, the host does. Which may run there is said by
`plugins.isolation.allow-in-process`, by `--allow-in-process PATTERN` and by `SELKIES_ALLOW_IN_PROCESS` (separated by
commas), all together; without the first, by `selkies.*`. All others run in a child process each, unless
`plugins.isolation.default` is `in-process`. A child is confined to what its manifest asks for; when it crashes or hangs,
the host ends it and goes on. `plugins.isolation.groups` names plugins that share a child. `--isolation process` sends
everything but transports to children for once, `--isolation in-process` everything into the host. Transports run inside
the host only.

## Settings

A setting marked *not yet* is read and checked, but the feature in parentheses does not exist yet; the host says so when
it starts.
"#;

/// The page docs/configuration.md.
#[must_use]
pub fn docs_page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for section in Section::ALL {
        page.push_str(&format!(
            "\n### {}\n\n| setting | flag | variables | default | browser | what it does |\n|---|---|---|---|---|---|\n",
            section.title()
        ));
        settings()
            .filter(|setting| setting.section == section)
            .for_each(|setting| page.push_str(&line(setting)));
    }
    page
}

fn line(setting: &Setting) -> String {
    let legacy = setting.legacy_env.iter().map(ToString::to_string);
    let variables: Vec<String> = env_names(setting).chain(legacy).map(|name| format!("`{name}`")).collect();
    let default = if setting.default.is_empty() { String::new() } else { format!("`{}`", setting.default) };
    let changer = match setting.changer {
        Changer::Operator => "",
        Changer::Client => "may change",
    };
    let activity = match setting.activity {
        Activity::Active => String::new(),
        Activity::NotYet(feature) => format!(" *Not yet ({feature}).*"),
    };
    format!(
        "| `{}` | `{} {}` | {} | {default} | {changer} | {}{activity} |\n",
        setting.name,
        setting.flag(),
        value_name(setting.kind),
        variables.join(" "),
        setting.help,
    )
}
