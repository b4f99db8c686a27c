"""What the demo says, in Slovenian and English."""

TEXTS: dict[str, tuple[str, str]] = {  # name: Slovenian, English
    "title": (
        "Drava: simulirano mesto, pravi posrednik MQTT, prava sporočila",
        "Drava: a simulated city, a real MQTT broker, real messages",
    ),
    "broker": ("Posrednik: {title}, {url}", "Broker: {title}, {url}"),
    "drawing": ("Rišem mesto ({days} dni) ...", "Drawing the city ({days} days) ..."),
    "city": (
        "Mesto: naprav {devices}, območij {areas}; od {first} do {last}",
        "City: {devices} devices, {areas} areas; from {first} to {last}",
    ),
    "registered": ("Register: napolnjen iz {file}", "Registry: filled from {file}"),
    "sent": ("objavljeno", "published"),
    "committed": ("v jezeru", "in the lake"),
    "arrived": (
        "V jezeru je {messages} sporočil v {seconds} s ({rate} na sekundo)",
        "{messages} messages are in the lake after {seconds} s ({rate} a second)",
    ),
    "computing": ("Kazalniki in detektorji ...", "Indicators and detectors ..."),
    "proof": (
        "Simulator je skril {faults} napak: {found} najdenih, {missed} spregledanih, {other} drugih alarmov teh vrst.",
        "The simulator hid {faults} faults: {found} found, {missed} missed, {other} other alarms of those kinds.",
    ),
    "missed": ("  spregledano: {kind}, {place}, od {since}", "  missed: {kind}, {place}, since {since}"),
    "other": ("  brez napake: {kind}, {place}, od {since}", "  without a fault: {kind}, {place}, since {since}"),
    "strange": (
        "  vrsta, ki je simulator ne skriva: {kind}, {place}, od {since}",
        "  of a kind that the simulator does not hide: {kind}, {place}, since {since}",
    ),
    "seed": (
        (
            "Mesto {seed}: napak {faults}, najdenih {found}, spregledanih {missed}, drugih alarmov teh vrst {other}, "
            "drugih vrst {strange}; {word}."
        ),
        (
            "City {seed}: {faults} faults, {found} found, {missed} missed, {other} other alarms of those kinds, "
            "{strange} of other kinds; {word}."
        ),
    ),
    "kept": ("  ostane za ogled: {home}", "  kept to be looked into: {home}"),
    "column_kind": ("vrsta", "kind"),
    "column_faults": ("napake", "faults"),
    "column_found": ("najdene", "found"),
    "column_missed": ("spregledane", "missed"),
    "column_other": ("drugi alarmi", "other alarms"),
    "column_precision": ("točnost", "precision"),
    "column_recall": ("priklic", "recall"),
    "all_kinds": ("vse", "all"),
    "complete": (
        "Poslanih {sent} različnih odčitkov, shranjenih {stored}: {word}.",
        "{sent} different readings were sent, {stored} are stored: {word}.",
    ),
    "equal": ("nič ni izgubljeno, nič podvojeno", "nothing lost, nothing twice"),
    "unequal": ("TO NI ENAKO", "NOT EQUAL"),
    "unbalanced": ("Obračun se ne izide.", "The balance does not add up."),
    "paste": ("Poskusite (prilepite vrstico):", "Try it (paste a line):"),
    "files": (
        "Datoteke: tabele {home}/lake, poročilo {home}/exports/morning.html, dnevnik {home}/ingest.log",
        "Files: tables {home}/lake, report {home}/exports/morning.html, log {home}/ingest.log",
    ),
    "remove": ("Vse odstrani:  rm -rf {home}", "To remove everything:  rm -rf {home}"),
    "kill": (
        "Zdaj poskusite iz drugega okna:  kill -9 {pid}   (sprejem; nič se ne izgubi, obračun se izide)",
        "Now try from another window:  kill -9 {pid}   (ingestion; nothing is lost, the balance adds up)",
    ),
    "going_on": (
        "Mesto teče naprej, pospešeno, do Ctrl-C.",
        "The city goes on, time-lapsed, until Ctrl-C.",
    ),
    "status": (
        "{clock}  objavljeno {sent}  v jezeru {committed}  alarmi {alarms}",
        "{clock}  published {sent}  in the lake {committed}  alarms {alarms}",
    ),
    "killed": (
        "Sprejem je bil ubit; znova teče kot {pid}. Posrednik in dnevnik sta med tem vse obdržala.",
        "Ingestion was killed; it runs again as {pid}. Broker and journal kept everything meanwhile.",
    ),
    "recovered": (
        "Po vrnitvi: objavljeno {sent}, prejeto {received}, obračun se izide: {word}.",
        "Back again: published {sent}, received {received}, the balance adds up: {word}.",
    ),
    "yes": ("da", "yes"),
    "no": ("NE", "NO"),
    "new_alarm": ("Nov alarm: {title}, {where} (od {since})", "New alarm: {title}, {where} (since {since})"),
    "caught_up": (
        "Simulirano mesto je dohitelo sedanjost; odslej teče v resničnem času.",
        "The simulated city has caught up with the present; from now on it runs in real time.",
    ),
    "ending": ("Končujem: sprejem izprazni dnevnik ...", "Ending: ingestion drains its journal ..."),
    "ended": ("Končano. Dom ostane: {home}", "Done. The home stays: {home}"),
}
