//! Names that nobody defined, and quantities that make no sense.

/// Hands its table on to the next room, behind what came before.
macro_rules! naming {
    ([$next:ident $($then:ident)*] $($before:tt)*) => {
        $next! {
            [$($then)*] $($before)*
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
                fix: "Use a stage of the funnel (`[lifecycle.stages]`), or, where there is no funnel, of `[stages]`.",
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
        }
    };
}
