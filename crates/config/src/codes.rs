//! Every problem that `check` can report: its code, what goes wrong without it, what to do, and an example that the
//! suite runs. The pages in `docs/errors/` are generated from this table.

use crate::problem::Severity;

macro_rules! codes {
    ($($variant:ident $code:literal $severity:ident {
        title: $title:literal,
        why: $why:literal,
        fix: $fix:literal,
        wrong: $wrong:literal,
        right: $right:literal,
    })*) => {
        /// What kind of mistake a problem is.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub(crate) enum Code { $($variant),* }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity),* }
            }

            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }

            /// What would happen to the data.
            pub const fn why(self) -> &'static str {
                match self { $(Self::$variant => $why),* }
            }

            /// What to do, in general.
            pub const fn fix(self) -> &'static str {
                match self { $(Self::$variant => $fix),* }
            }

            /// A configuration with exactly this mistake, and the same without it; empty where no text can show it.
            pub const fn example(self) -> (&'static str, &'static str) {
                match self { $(Self::$variant => ($wrong, $right)),* }
            }
        }
    };
}

codes! {
    TomlSyntax "toml-syntax" Error {
        title: "The file is not valid TOML",
        why: "Baton cannot tell what this line says, so it cannot tell which value should survive.",
        fix: "Check quotes, brackets, commas and `=` on this line.",
        wrong: "[person.fields.nickname]\ntype = text\n",
        right: "[person.fields.nickname]\ntype = \"text\"\n",
    }
    DuplicateKey "duplicate-key" Error {
        title: "A setting stands twice in one table",
        why: "Only one of the two can hold, and nobody can see which.",
        fix: "Remove one of the two.",
        wrong: "[person.fields.nickname]\nrule = \"latest\"\nrule = \"fill\"\n",
        right: "[person.fields.nickname]\nrule = \"latest\"\n",
    }
    DefinedTwice "defined-twice" Error {
        title: "Two files set the same thing",
        why: "Files are read as one; which of the two would hold would depend on their names.",
        fix: "Keep the setting in one file.",
        wrong: "[identity]\nemail = \"email\"\n",
        right: "[identity.keys]\naccount = [\"name\"]\n",
    }
    NotUtf8 "not-utf8" Error {
        title: "The file is not UTF-8 text",
        why: "Names with accents would be read wrongly; the file may not be a configuration at all.",
        fix: "Save the file as UTF-8.",
        wrong: "",
        right: "",
    }
    FileEmpty "file-empty" Error {
        title: "The file says nothing",
        why: "An empty file is mostly one that was not saved or not copied: its rules would silently be missing.",
        fix: "Fill the file or delete it.",
        wrong: "# nothing but a comment\n",
        right: "[person.fields.nickname]\n",
    }
    FileUnreadable "file-unreadable" Error {
        title: "The file cannot be read",
        why: "Its rules would silently be missing.",
        fix: "Check that it is a file and that Baton may read it.",
        wrong: "",
        right: "",
    }
    UnknownKey "unknown-key" Error {
        title: "There is no such setting here",
        why: "A misspelt setting would be ignored, and the default would hold instead.",
        fix: "Use a setting that exists; `baton schema` lists them.",
        wrong: "[person.fields.nickname]\nprotect_manual = \"180d\"\n",
        right: "[person.fields.nickname]\nprotect_manual_for = \"180d\"\n",
    }
    MissingKey "missing-key" Error {
        title: "Something that must be said is not said",
        why: "Baton does not guess.",
        fix: "Add it.",
        wrong: "[systems.events]\nzone = \"UTC\"\n",
        right: "[systems.events]\nformat = \"baton\"\nzone = \"UTC\"\n",
    }
    WrongType "wrong-type" Error {
        title: "The wrong kind of value",
        why: "Baton cannot tell what is meant.",
        fix: "Write the kind of value that belongs here.",
        wrong: "[person.fields.nickname]\npersonal = \"yes\"\n",
        right: "[person.fields.nickname]\npersonal = true\n",
    }
    EmptyValue "empty-value" Error {
        title: "A text or list is empty",
        why: "Nothing can be meant by it; a list that must name something names nothing.",
        fix: "Fill it, or leave the setting out.",
        wrong: "[person.fields.nickname]\nrule = { priority = [] }\n",
        right: "[person.fields.nickname]\nrule = \"latest\"\n",
    }
    DuplicateEntry "duplicate-entry" Error {
        title: "A list names something twice",
        why: "The second one can have no effect, so something else was probably meant.",
        fix: "Remove or replace one of them.",
        wrong: "[person.groups.place]\nfields = [\"city\", \"city\", \"country\"]\n",
        right: "[person.groups.place]\nfields = [\"city\", \"country\"]\n",
    }
    BadName "bad-name" Error {
        title: "Not a name of Baton's",
        why: "Names stand in topics, metrics and commands and must be the same everywhere.",
        fix: "Use lower-case letters, digits and underscores, beginning with a letter.",
        wrong: "[person.fields.\"Nick Name\"]\n",
        right: "[person.fields.nick_name]\n",
    }
    UnknownField "unknown-field" Error {
        title: "There is no such field",
        why: "A rule for a field that does not exist does nothing, and the field that was meant goes by other rules.",
        fix: "Use a field that is defined, or define it.",
        wrong: "[person.groups.place]\nfields = [\"city\", \"contry\"]\n",
        right: "[person.groups.place]\nfields = [\"city\", \"country\"]\n",
    }
    UnknownSystem "unknown-system" Error {
        title: "There is no such system",
        why: "A rule that trusts a system that does not exist trusts nobody.",
        fix: "Use the name of a system from `[systems]`.",
        wrong: "[person.fields.first_name]\nrule = { only = \"crn\" }\n",
        right: "[person.fields.first_name]\nrule = { only = \"crm\" }\n",
    }
    UnknownGroup "unknown-group" Error {
        title: "There is no such group",
        why: "The field would follow nothing and stay blank.",
        fix: "Use the name of a group of the same entity.",
        wrong: "[person.groups.place]\nfields = [\"city\", \"country\"]\n\n[person.fields.nickname]\nrule = { follow = \"plaec\" }\n",
        right: "[person.groups.place]\nfields = [\"city\", \"country\"]\n\n[person.fields.nickname]\nrule = { follow = \"place\" }\n",
    }
    UnknownStrategy "unknown-strategy" Error {
        title: "There is no such rule",
        why: "Baton cannot tell which value should survive.",
        fix: "Use one of the strategies of the steward's guide.",
        wrong: "[person.fields.nickname]\nrule = \"lastest\"\n",
        right: "[person.fields.nickname]\nrule = \"latest\"\n",
    }
    StrategyNeedsMore "strategy-needs-more" Error {
        title: "This rule needs to be told more",
        why: "`priority`, `only`, `trust`, `by_stage`, `derived` and `follow` mean nothing without what they refer to.",
        fix: "Write it as a table, for example `rule = { only = \"crm\" }`.",
        wrong: "[person.fields.nickname]\nrule = \"only\"\n",
        right: "[person.fields.first_name]\nrule = { only = \"crm\" }\n",
    }
    StrategyConflict "strategy-conflict" Error {
        title: "Several rules, or settings of another rule, in one",
        why: "One field has one rule; what belongs to another rule has no effect.",
        fix: "Keep one rule and its own settings.",
        wrong: "[person.fields.first_name]\nrule = { only = \"crm\", priority = [\"crm\", \"map\"] }\n",
        right: "[person.fields.first_name]\nrule = { priority = [\"crm\", \"map\"] }\n",
    }
    UnknownStage "unknown-stage" Error {
        title: "There is no such stage",
        why: "The rule would never change over.",
        fix: "Use a stage from `[stages]`.",
        wrong: "[person.fields.nickname]\nrule = { by_stage = { until = \"mgl\", then = \"fill\", after = \"latest\" } }\n",
        right: "[person.fields.nickname]\nrule = { by_stage = { until = \"mql\", then = \"fill\", after = \"latest\" } }\n",
    }
    UnknownCause "unknown-cause" Error {
        title: "There is no such cause",
        why: "Causes decide whether a person's edit is protected from imports.",
        fix: "Use one of: own_form, manual_edit, sales_tool, enrichment, list_import, api, unknown.",
        wrong: "[systems.events]\nformat = \"baton\"\ndefault_cause = \"list-imports\"\n",
        right: "[systems.events]\nformat = \"baton\"\ndefault_cause = \"list_import\"\n",
    }
    UnknownFormat "unknown-format" Error {
        title: "There is no such format",
        why: "Baton would not understand a single message of this system.",
        fix: "Use one of: salesforce, hubspot, marketo, mautic, espocrm, debezium, cloudevents, csv, baton.",
        wrong: "[systems.events]\nformat = \"clouddevents\"\n",
        right: "[systems.events]\nformat = \"cloudevents\"\n",
    }
    UnknownType "unknown-type" Error {
        title: "There is no such type",
        why: "The type says which values are the same; without it every spelling is a change.",
        fix: "Use one of: text, email, phone, country, date, instant, number, integer, boolean, multi_select, url, reference, picklist.",
        wrong: "[person.fields.nickname]\ntype = \"txt\"\n",
        right: "[person.fields.nickname]\ntype = \"text\"\n",
    }
    UnknownChoice "unknown-choice" Error {
        title: "There is no such choice",
        why: "The default would hold instead of what was meant.",
        fix: "Use one of the words that are possible here.",
        wrong: "[person.fields.nickname]\nclear = \"ingore\"\n",
        right: "[person.fields.nickname]\nclear = \"ignore\"\n",
    }
    UnknownObject "unknown-object" Error {
        title: "There is no such object",
        why: "Records of it would never be read.",
        fix: "Use one of: lead, contact, account, deal.",
        wrong: "[systems.crm.objects.contacts]\ncreate = \"always\"\n",
        right: "[systems.crm.objects.contact]\ncreate = \"always\"\n",
    }
    UnknownRole "unknown-role" Error {
        title: "There is no such role",
        why: "The process would leave undone what was meant.",
        fix: "Use one of: engine, relay, timers, admin.",
        wrong: "[daemon]\nroles = [\"engine\", \"relais\"]\n",
        right: "[daemon]\nroles = [\"engine\", \"relay\"]\n",
    }
    UnknownConsentState "unknown-consent-state" Error {
        title: "There is no such consent state",
        why: "An opt-out that is not understood is not respected.",
        fix: "Use one of: bounced, legal_block, opted_out, pending, opted_in, unknown.",
        wrong: "[consent.email]\nfield = \"opt_out\"\naddress = \"email\"\nstates = { true = \"opt_out\", false = \"opted_in\" }\n",
        right: "[consent.email]\nfield = \"opt_out\"\naddress = \"email\"\nstates = { true = \"opted_out\", false = \"opted_in\" }\n",
    }
    BadDuration "bad-duration" Error {
        title: "Not a duration",
        why: "A protection or a window of unknown length protects nothing.",
        fix: "Write a number and a unit: ms, s, m, h, d, w; for example \"180d\".",
        wrong: "[person.fields.nickname]\nprotect_manual_for = \"6 months\"\n",
        right: "[person.fields.nickname]\nprotect_manual_for = \"180d\"\n",
    }
    DurationOutOfRange "duration-out-of-range" Error {
        title: "A duration that makes no sense",
        why: "Zero or negative windows switch a safeguard off; endless ones never end.",
        fix: "Write a sensible duration.",
        wrong: "[person.fields.nickname]\nprotect_manual_for = \"-180d\"\n",
        right: "[person.fields.nickname]\nprotect_manual_for = \"180d\"\n",
    }
    BadSize "bad-size" Error {
        title: "Not a size",
        why: "Baton would not know how much to take at once.",
        fix: "Write a number and a unit: KiB, MiB, GiB; for example \"4MiB\".",
        wrong: "[daemon]\nbatch_bytes = \"4 megs\"\n",
        right: "[daemon]\nbatch_bytes = \"4MiB\"\n",
    }
    NumberOutOfRange "number-out-of-range" Error {
        title: "A number that makes no sense here",
        why: "It would switch a safeguard off, or could not be carried out.",
        fix: "Write a number in the range.",
        wrong: "[topics]\npartitions = 0\n",
        right: "[topics]\npartitions = 4\n",
    }
    UnknownZone "unknown-zone" Error {
        title: "There is no such time zone",
        why: "Times without an offset would be hours off, and the wrong edit would count as the later one.",
        fix: "Use an IANA name such as `Europe/Berlin`.",
        wrong: "[systems.events]\nformat = \"baton\"\nzone = \"Europe/Berln\"\n",
        right: "[systems.events]\nformat = \"baton\"\nzone = \"Europe/Berlin\"\n",
    }
    UnknownRegion "unknown-region" Error {
        title: "There is no such country code",
        why: "Phone numbers without a country code could not be compared with those of the other system.",
        fix: "Use two capital letters (ISO 3166-1), such as `DE`.",
        wrong: "[systems.events]\nformat = \"baton\"\nregion = \"UK\"\n",
        right: "[systems.events]\nformat = \"baton\"\nregion = \"GB\"\n",
    }
    CycleDerived "cycle-derived" Error {
        title: "A derived field depends on itself",
        why: "There is no value to begin with.",
        fix: "Compute one of them from fields that are not derived from it.",
        wrong: "[person.fields.salutation]\nrule = { derived = \"concat(greeting, first_name)\" }\n\n[person.fields.greeting]\nrule = { derived = \"lower(salutation)\" }\n",
        right: "[person.fields.salutation]\nrule = { derived = \"concat(greeting, first_name)\" }\n\n[person.fields.greeting]\nrule = { derived = \"lower(last_name)\" }\n",
    }
    CycleFollow "cycle-follow" Error {
        title: "A field or group follows itself",
        why: "Nothing would ever win.",
        fix: "Let one of them have a rule of its own.",
        wrong: "[person.groups.place]\nfields = [\"city\", \"country\"]\nrule = { follow = \"place\" }\n",
        right: "[person.groups.place]\nfields = [\"city\", \"country\"]\nrule = \"latest\"\n",
    }
    OverlappingGroups "overlapping-groups" Error {
        title: "A field stands in two groups",
        why: "The two groups may be won by two records, and the field cannot come from both.",
        fix: "Keep the field in one group.",
        wrong: "[person.groups.place]\nfields = [\"city\", \"country\"]\n\n[person.groups.region]\nfields = [\"country\", \"phone\"]\n",
        right: "[person.groups.place]\nfields = [\"city\", \"country\"]\n\n[person.groups.region]\nfields = [\"mobile\", \"phone\"]\n",
    }
    GroupInPart "group-mapped-in-part" Warning {
        title: "A system maps a group only in part",
        why: "A whole value, for example an address, would be made of that system's part and nothing, or the system would never win.",
        fix: "Map the missing field there, or take it out of the group.",
        wrong: "[person.groups.numbers]\nfields = [\"phone\", \"mobile\", \"nickname\"]\n\n[person.fields.nickname]\n",
        right: "[person.groups.numbers]\nfields = [\"phone\", \"mobile\"]\n",
    }
    RequiresOutsider "requires-outsider" Error {
        title: "A group requires a field that it does not have",
        why: "No value of the group could ever satisfy it.",
        fix: "Add the field to the group's `fields`, or do not require it.",
        wrong: "[person.groups.place]\nfields = [\"city\", \"country\"]\nrequires = [\"phone\"]\n",
        right: "[person.groups.place]\nfields = [\"city\", \"country\"]\nrequires = [\"country\"]\n",
    }
    GroupStrategy "group-strategy" Error {
        title: "This rule cannot decide about a group",
        why: "A group's value is one record's whole tuple; this rule makes values of single fields.",
        fix: "Use latest, priority, only, trust, fill, first, most_complete, by_stage or manual.",
        wrong: "[person.groups.place]\nfields = [\"city\", \"country\"]\nrule = \"union\"\n",
        right: "[person.groups.place]\nfields = [\"city\", \"country\"]\nrule = \"most_complete\"\n",
    }
    RuleInGroup "rule-in-group" Error {
        title: "A field of a group has a rule of its own",
        why: "The group decides; the field's own rule would have no effect.",
        fix: "Remove the field's rule, or take the field out of the group.",
        wrong: "[person.fields.town]\nrule = \"fill\"\n\n[person.fields.land]\n\n[person.groups.place]\nfields = [\"town\", \"land\"]\n",
        right: "[person.fields.town]\n\n[person.fields.land]\n\n[person.groups.place]\nfields = [\"town\", \"land\"]\n",
    }
    StageOrder "stage-order" Error {
        title: "Stages are not in rising order",
        why: "A stretch that ends below where the one before it ended is never reached.",
        fix: "Order the segments from the lowest stage to the highest.",
        wrong: "[person.fields.nickname.rule.by_stage]\nsegments = [{ until = \"sql\", then = \"fill\" }, { until = \"mql\", then = \"first\" }]\nafter = \"latest\"\n",
        right: "[person.fields.nickname.rule.by_stage]\nsegments = [{ until = \"mql\", then = \"first\" }, { until = \"sql\", then = \"fill\" }]\nafter = \"latest\"\n",
    }
    StageUnreachable "stage-unreachable" Error {
        title: "A rule that can never hold",
        why: "No stage lies below the lowest one.",
        fix: "Name a later stage, or leave this part out.",
        wrong: "[person.fields.nickname]\nrule = { by_stage = { until = \"new\", then = \"fill\", after = \"latest\" } }\n",
        right: "[person.fields.nickname]\nrule = { by_stage = { until = \"mql\", then = \"fill\", after = \"latest\" } }\n",
    }
    DestructiveClear "destructive-clear" Warning {
        title: "A blank from an import or a program would empty the field everywhere",
        why: "One badly mapped import column would delete what people entered, in all systems.",
        fix: "Use clear = \"propagate_if_manual\", or \"ignore\".",
        wrong: "[person.fields.city]\nclear = \"propagate\"\n",
        right: "[person.fields.city]\nclear = \"propagate_if_manual\"\n",
    }
    ClearOfConsent "clear-of-consent" Error {
        title: "A blank would loosen consent",
        why: "Null or absent never loosens consent: an opt-out stays until the person's own act.",
        fix: "Remove `clear` from this field.",
        wrong: "[person.fields.opt_out]\ntype = \"boolean\"\nclear = \"propagate\"\n\n[consent.email]\nfield = \"opt_out\"\naddress = \"email\"\nstates = { true = \"opted_out\", false = \"opted_in\" }\n",
        right: "[person.fields.opt_out]\ntype = \"boolean\"\n\n[consent.email]\nfield = \"opt_out\"\naddress = \"email\"\nstates = { true = \"opted_out\", false = \"opted_in\" }\n",
    }
    ClearOfRequired "clear-of-required" Error {
        title: "A blank would be sent to a system that refuses records without the field",
        why: "Every such update would be refused and parked.",
        fix: "Use clear = \"ignore\" or \"hold\".",
        wrong: "[person.fields.last_name]\nclear = \"propagate\"\n",
        right: "[person.fields.last_name]\nclear = \"ignore\"\n",
    }
    PicklistUnknownValue "picklist-unknown-value" Error {
        title: "Not a value of the picklist",
        why: "It would come in as a value that no other system knows.",
        fix: "Use one of the field's `values`, or add it there.",
        wrong: "[systems.crm.objects.contact.fields]\nRating = { field = \"status\", values = { Cold = \"open\", Warm = \"workin\", Hot = \"done\" } }\n",
        right: "[systems.crm.objects.contact.fields]\nRating = { field = \"status\", values = { Cold = \"open\", Warm = \"working\", Hot = \"done\" } }\n",
    }
    PicklistUnmapped "picklist-unmapped" Error {
        title: "A picklist value that the system has no word for",
        why: "Records with this value could not be written there.",
        fix: "Add a vendor value for it, or set direction = \"in\".",
        wrong: "[systems.crm.objects.contact.fields]\nRating = { field = \"status\", values = { Cold = \"open\", Hot = \"done\" } }\n",
        right: "[systems.crm.objects.contact.fields]\nRating = { field = \"status\", values = { Cold = \"open\", Warm = \"working\", Hot = \"done\" } }\n",
    }
    PicklistDuplicate "picklist-duplicate" Error {
        title: "Two vendor values for one canonical value",
        why: "Baton could not tell which of the two to write, and would change one into the other.",
        fix: "Say which one to write, such as write = { done = \"Hot\" }, or set direction = \"in\".",
        wrong: "[systems.crm.objects.contact.fields]\nRating = { field = \"status\", values = { Cold = \"open\", Warm = \"working\", Hot = \"done\", Old = \"done\" } }\n",
        right: "[systems.crm.objects.contact.fields]\nRating = { field = \"status\", values = { Cold = \"open\", Warm = \"working\", Hot = \"done\" } }\n",
    }
    WriteUnknown "write-unknown" Error {
        title: "A value to be written that is not in the value map",
        why: "What is written would be read back as something else.",
        fix: "Name a vendor value that stands in `values` with this meaning.",
        wrong: "[systems.crm.objects.contact.fields]\nRating = { field = \"status\", values = { Cold = \"open\", Warm = \"working\", Hot = \"done\", Old = \"done\" }, write = { done = \"Hott\" } }\n",
        right: "[systems.crm.objects.contact.fields]\nRating = { field = \"status\", values = { Cold = \"open\", Warm = \"working\", Hot = \"done\", Old = \"done\" }, write = { done = \"Hot\" } }\n",
    }
    PicklistWithoutValues "picklist-without-values" Error {
        title: "A picklist that does not name its values",
        why: "Baton could not tell a value from a slip, nor see what a system has no word for.",
        fix: "Add `values = [\"…\", \"…\"]`, or use type = \"text\".",
        wrong: "[person.fields.tier]\ntype = \"picklist\"\n",
        right: "[person.fields.tier]\ntype = \"picklist\"\nvalues = [\"gold\", \"silver\"]\n",
    }
    LengthMismatch "length-mismatch" Warning {
        title: "One system keeps less of a text than another",
        why: "What is longer is cut there; people will see a cut value and may \"correct\" it.",
        fix: "Set the real limits, or the same in both systems.",
        wrong: "[systems.crm.objects.contact.fields]\nNick = { field = \"nickname\", max_length = 10 }\n\n[systems.map.objects.contact.fields]\nnick = { field = \"nickname\", max_length = 80 }\n\n[person.fields.nickname]\n",
        right: "[systems.crm.objects.contact.fields]\nNick = { field = \"nickname\", max_length = 80 }\n\n[systems.map.objects.contact.fields]\nnick = { field = \"nickname\", max_length = 80 }\n\n[person.fields.nickname]\n",
    }
    LengthOfNonText "length-of-non-text" Error {
        title: "A length for something that is not text",
        why: "A cut number or date is another number or date.",
        fix: "Remove `max_length`.",
        wrong: "[systems.crm.objects.contact.fields]\nAge = { field = \"age\", max_length = 3 }\n\n[person.fields.age]\ntype = \"integer\"\n",
        right: "[systems.crm.objects.contact.fields]\nAge = { field = \"age\" }\n\n[person.fields.age]\ntype = \"integer\"\n",
    }
    SourceDoesNotMap "source-does-not-map" Error {
        title: "A rule names a system that never sends the field",
        why: "The rule would wait for a value that never comes.",
        fix: "Map the field in that system, or name another.",
        wrong: "[person.fields.nickname]\nrule = { only = \"map\" }\n",
        right: "[person.fields.nickname]\n\n[person.fields.first_name]\nrule = { only = \"map\" }\n",
    }
    CounterWithoutBefore "counter-without-before-image" Error {
        title: "A counter that no system counts for",
        why: "A counter adds up differences, and none of the systems that send this field says what it was before.",
        fix: "Use `max` or `only`, or map it in a system whose changes carry the old value (marketo, debezium, baton, cloudevents).",
        wrong: "[person.fields.score]\ntype = \"integer\"\nrule = \"counter\"\n",
        right: "[person.fields.score]\ntype = \"integer\"\nrule = \"max\"\n",
    }
    StrategyType "strategy-wrong-type" Error {
        title: "This rule cannot judge fields of this type",
        why: "Adding up texts or joining single values has no meaning.",
        fix: "Change the rule or the field's type.",
        wrong: "[person.fields.nickname]\ntype = \"text\"\nrule = \"union\"\n",
        right: "[person.fields.nickname]\ntype = \"multi_select\"\nrule = \"union\"\n",
    }
    StrategyNested "strategy-nested" Error {
        title: "This rule cannot stand inside another",
        why: "Sums, unions and computed values do not pass from one rule to the next.",
        fix: "Use a rule that picks one record's value here.",
        wrong: "[person.fields.nickname]\nrule = { by_stage = { until = \"mql\", then = { derived = \"first_name\" }, after = \"latest\" } }\n",
        right: "[person.fields.nickname]\nrule = { by_stage = { until = \"mql\", then = \"fill\", after = \"latest\" } }\n",
    }
    TrustRange "trust-range" Error {
        title: "A trust that would rise with age",
        why: "`min` is what is left of `max`; above it, old values would win over new ones.",
        fix: "Make `min` at most `max`.",
        wrong: "[person.fields.first_name.rule.trust]\ncrm = { max = 20, min = 80, period = \"365d\" }\n",
        right: "[person.fields.first_name.rule.trust]\ncrm = { max = 80, min = 20, period = \"365d\" }\n",
    }
    ConsentAddress "consent-address" Error {
        title: "A consent without a proper address field",
        why: "Consent belongs to an address: without one an opt-out would be lost when the address changes hands.",
        fix: "Name a field of type email or phone.",
        wrong: "[consent.email]\nfield = \"opt_out\"\naddress = \"city\"\nstates = { true = \"opted_out\", false = \"opted_in\" }\n",
        right: "[consent.email]\nfield = \"opt_out\"\naddress = \"email\"\nstates = { true = \"opted_out\", false = \"opted_in\" }\n",
    }
    ConsentStates "consent-states" Error {
        title: "A consent that cannot be read from its field",
        why: "A value that means nothing cannot be respected.",
        fix: "Give a state to every value of the field: `true` and `false`, or every value of the picklist.",
        wrong: "[consent.email]\nfield = \"opt_out\"\naddress = \"email\"\nstates = { true = \"opted_out\" }\n",
        right: "[consent.email]\nfield = \"opt_out\"\naddress = \"email\"\nstates = { true = \"opted_out\", false = \"opted_in\" }\n",
    }
    ConsentTwice "consent-twice" Error {
        title: "One field carries two consents",
        why: "An opt-out of one channel would be one of the other as well.",
        fix: "Give each channel a field of its own.",
        wrong: "[consent.email]\nfield = \"opt_out\"\naddress = \"email\"\nstates = { true = \"opted_out\", false = \"opted_in\" }\n\n[consent.phone]\nfield = \"opt_out\"\naddress = \"phone\"\nstates = { true = \"opted_out\", false = \"opted_in\" }\n",
        right: "[consent.email]\nfield = \"opt_out\"\naddress = \"email\"\nstates = { true = \"opted_out\", false = \"opted_in\" }\n\n[consent.phone]\nfield = \"no_calls\"\naddress = \"phone\"\nstates = { true = \"opted_out\", false = \"opted_in\" }\n\n[person.fields.no_calls]\ntype = \"boolean\"\n",
    }
    IdentityMissing "identity-missing" Error {
        title: "People have no identity",
        why: "Without an e-mail or key field no two records would ever be the same person.",
        fix: "Set `email` in `[identity]`, or `keys.person`.",
        wrong: "",
        right: "",
    }
    IdentityType "identity-wrong-type" Error {
        title: "A field that cannot identify",
        why: "Many people share such a value, and they would be joined into one.",
        fix: "Use a text, e-mail or phone field; for `email`, one of type email.",
        wrong: "[identity.keys]\nperson = [\"opt_out\"]\n",
        right: "[identity.keys]\nperson = [\"phone\"]\n",
    }
    TopicShared "topic-shared" Error {
        title: "Two streams in one topic",
        why: "Baton would read one system's changes as another's, or its own commands as changes.",
        fix: "Give each its own topic.",
        wrong: "[systems.events]\nformat = \"baton\"\ntopics = { changes = \"baton.crm.changes\" }\n",
        right: "[systems.events]\nformat = \"baton\"\ntopics = { changes = \"events.changes\" }\n",
    }
    BadTopic "bad-topic" Error {
        title: "Not a topic name",
        why: "Kafka would refuse it.",
        fix: "Use letters, digits, `.`, `_` and `-`, at most 249.",
        wrong: "[topics]\ngolden = \"baton golden\"\n",
        right: "[topics]\ngolden = \"baton.golden\"\n",
    }
    SecretInline "secret-inline" Error {
        title: "A secret stands in the file",
        why: "Configuration is copied, mailed and kept in version control; a password in it is known to everyone.",
        fix: "Write { env = \"VARIABLE\" } or { file = \"/run/secrets/…\" } instead.",
        wrong: "[kafka]\nbootstrap = \"kafka:9092\"\nclient = { \"sasl.password\" = \"hunter2\" }\n",
        right: "[kafka]\nbootstrap = \"kafka:9092\"\nclient = { \"sasl.password\" = { env = \"KAFKA_PASSWORD\" } }\n",
    }
    SecretSource "secret-source" Error {
        title: "Not exactly one place for a secret",
        why: "Baton could not tell which to use.",
        fix: "Give `env` or `file`, one of both.",
        wrong: "[store]\nurl = { env = \"KAFKA_PASSWORD\", file = \"/run/secrets/url\" }\n",
        right: "[store]\nurl = { env = \"KAFKA_PASSWORD\" }\n",
    }
    EnvironmentMissing "environment-missing" Error {
        title: "An environment variable is not set",
        why: "Baton would start without the secret and be refused later.",
        fix: "Set the variable where Baton runs.",
        wrong: "[store]\nurl = { env = \"NO_SUCH_VARIABLE\" }\n",
        right: "[store]\nurl = { env = \"KAFKA_PASSWORD\" }\n",
    }
    SecretFileMissing "secret-file-missing" Error {
        title: "The file of a secret cannot be read",
        why: "Baton would start without the secret and be refused later.",
        fix: "Put the file there, readable for Baton.",
        wrong: "[store]\nurl = { file = \"/no/such/file\" }\n",
        right: "[store]\nurl = { env = \"KAFKA_PASSWORD\" }\n",
    }
    RequiredNeverSupplied "required-never-supplied" Error {
        title: "A required field that nobody supplies",
        why: "Records could never be created there: no value is ever invented.",
        fix: "Map the field in another system, derive it, or drop `required`.",
        wrong: "[systems.crm.objects.contact]\ncreate = \"always\"\n\n[systems.crm.objects.contact.fields]\nCode = { field = \"code\", required = true }\n\n[person.fields.code]\n",
        right: "[systems.crm.objects.contact]\ncreate = \"always\"\n\n[systems.crm.objects.contact.fields]\nCode = { field = \"code\", required = true }\n\n[person.fields.code]\nrule = { derived = \"upper(last_name)\" }\n",
    }
    MappedTwice "mapped-twice" Error {
        title: "Two vendor fields are written from one Baton field",
        why: "A change of one of them would be undone by the other.",
        fix: "Set direction = \"in\" on one, or make it an alias of the other.",
        wrong: "[systems.crm.objects.contact.fields]\nGivenName = \"first_name\"\n",
        right: "[systems.crm.objects.contact.fields]\nGivenName = { field = \"first_name\", direction = \"in\" }\n",
    }
    ObjectIncomplete "object-incomplete" Error {
        title: "An object that no vocabulary knows and that is not described",
        why: "Baton would not know what the vendor calls it.",
        fix: "Add `vendor` and `fields`.",
        wrong: "[systems.crm.objects.deal]\ncreate = \"always\"\n",
        right: "[systems.crm.objects.deal]\nvendor = \"Opportunity\"\nfields = { Name = \"name\" }\ncreate = \"always\"\n",
    }
    SeparatorNonList "separator-misplaced" Error {
        title: "A separator for something that is no list",
        why: "Only multi-select fields hold several values; the separator must be one character.",
        fix: "Remove `separator`, or write exactly one character on a multi_select field.",
        wrong: "[systems.crm.objects.contact.fields]\nNick = { field = \"nickname\", separator = \";\" }\n\n[person.fields.nickname]\n",
        right: "[systems.crm.objects.contact.fields]\nNick = { field = \"nickname\", separator = \";\" }\n\n[person.fields.nickname]\ntype = \"multi_select\"\n",
    }
    FormNonType "form-misplaced" Error {
        title: "A form that does not fit the field's type",
        why: "`negate` turns truth values round; `epoch_millis` is for dates and times.",
        fix: "Remove it, or change the field's type.",
        wrong: "[systems.crm.objects.contact.fields]\nNick = { field = \"nickname\", negate = true }\n\n[person.fields.nickname]\n",
        right: "[systems.crm.objects.contact.fields]\nNick = { field = \"nickname\", negate = true }\n\n[person.fields.nickname]\ntype = \"boolean\"\n",
    }
    FilterTest "filter-test" Error {
        title: "A condition without exactly one test that fits the field",
        why: "Baton could not tell which records to write.",
        fix: "Use one of present = true, equals, not_equals, at_least; at_least only for numbers.",
        wrong: "[[systems.crm.objects.contact.filter]]\nfield = \"city\"\n",
        right: "[[systems.crm.objects.contact.filter]]\nfield = \"city\"\npresent = true\n",
    }
    FilterValue "filter-value" Error {
        title: "A condition that no record can meet",
        why: "Nothing, or everything, would be written to this system.",
        fix: "Compare with a value that the field can have.",
        wrong: "[[systems.crm.objects.contact.filter]]\nfield = \"status\"\nequals = \"opne\"\n",
        right: "[[systems.crm.objects.contact.filter]]\nfield = \"status\"\nequals = \"open\"\n",
    }
    ExpressionSyntax "expression-syntax" Error {
        title: "Not an expression",
        why: "The field could not be computed.",
        fix: "Write a field, a text in quotes, or a function with its arguments in ( ).",
        wrong: "[person.fields.full_name]\nrule = { derived = 'concat(first_name, \" \" last_name)' }\n",
        right: "[person.fields.full_name]\nrule = { derived = 'concat(first_name, \" \", last_name)' }\n",
    }
    ExpressionFunction "expression-function" Error {
        title: "There is no such function",
        why: "The field could not be computed.",
        fix: "Use one of: concat, join, coalesce, lower, upper, sum, domain.",
        wrong: "[person.fields.full_name]\nrule = { derived = 'conact(first_name, \" \", last_name)' }\n",
        right: "[person.fields.full_name]\nrule = { derived = 'concat(first_name, \" \", last_name)' }\n",
    }
    ExpressionArguments "expression-arguments" Error {
        title: "Arguments that the function cannot take",
        why: "The field could not be computed.",
        fix: "lower, upper and domain take one argument, the others one or more; sum takes numbers, domain an e-mail field.",
        wrong: "[person.fields.mail_domain]\nrule = { derived = \"domain(email, phone)\" }\n",
        right: "[person.fields.mail_domain]\nrule = { derived = \"domain(email)\" }\n",
    }
    RankIncomplete "rank-incomplete" Error {
        title: "The ranking of causes leaves some out",
        why: "A cause without a rank cannot be compared with the others.",
        fix: "List all seven causes, strongest first.",
        wrong: "[ranks]\ncauses = [\"own_form\", \"manual_edit\", \"sales_tool\", \"enrichment\", \"list_import\", \"api\"]\n",
        right: "[ranks]\ncauses = [\"own_form\", \"manual_edit\", \"sales_tool\", \"enrichment\", \"list_import\", \"api\", \"unknown\"]\n",
    }
    BadAddress "bad-address" Error {
        title: "Not an address",
        why: "Baton could not listen or connect there.",
        fix: "Write an address and a port, such as `127.0.0.1:9464`, or `host:port` for Kafka.",
        wrong: "[admin]\nbind = \"localhost\"\n",
        right: "[admin]\nbind = \"127.0.0.1:9464\"\n",
    }
    BadUrl "bad-store-url" Error {
        title: "Not a store",
        why: "Baton would have nowhere to keep its state.",
        fix: "Write `sqlite:path` or `postgres://…`.",
        wrong: "[store]\nurl = \"mysql://localhost/baton\"\n",
        right: "[store]\nurl = \"postgres://localhost/baton\"\n",
    }
    AdminExposed "admin-exposed" Error {
        title: "The admin port is open to the network without a token",
        why: "Anyone who reaches it could read figures and names.",
        fix: "Bind to 127.0.0.1, or set `token`.",
        wrong: "[admin]\nbind = \"0.0.0.0:9464\"\n",
        right: "[admin]\nbind = \"0.0.0.0:9464\"\ntoken = { env = \"KAFKA_PASSWORD\" }\n",
    }
    ClientOwned "kafka-setting-owned" Error {
        title: "A Kafka setting that Baton must own",
        why: "Exactly-once effects rest on it; another value would lose or repeat changes.",
        fix: "Remove it; `group` and `bootstrap` have settings of their own.",
        wrong: "[kafka.client]\n\"enable.auto.commit\" = \"true\"\n",
        right: "[kafka.client]\n\"linger.ms\" = \"5\"\n",
    }
    TimingOrder "timing-order" Error {
        title: "Windows that contradict each other",
        why: "A command would be given up before its answer can count.",
        fix: "Make `give_up` longer than `rendering_settle`, and `horizon` longer than `give_up`.",
        wrong: "[timing]\ngive_up = \"30s\"\nrendering_settle = \"60s\"\n",
        right: "[timing]\ngive_up = \"15m\"\nrendering_settle = \"60s\"\n",
    }
}

impl Code {
    /// The help page of the code, in Markdown.
    pub fn page(self) -> String {
        let mut page = format!(
            "# config-{}\n\n**{}.** {}\n\n{}\n\n## What to do\n\n{}\n",
            self.as_str(),
            self.title(),
            match self.severity() {
                Severity::Error =>
                    "The configuration is not loaded; a running Baton keeps the old one.",
                Severity::Warning =>
                    "A warning: the configuration can be loaded, but look at this first.",
            },
            self.why(),
            self.fix(),
        );
        let (wrong, right) = self.example();
        if !wrong.is_empty() {
            page.push_str(&format!(
                "\n## Example\n\nWrong:\n\n```toml\n{wrong}```\n\nRight:\n\n```toml\n{right}```\n"
            ));
        }
        page
    }
}
