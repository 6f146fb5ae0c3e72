//! Rules, groups, picklists, consent and identity that cannot mean what they say.

/// Hands its table on to the next room, behind what came before.
macro_rules! deciding {
    ([$next:ident $($then:ident)*] $($before:tt)*) => {
        $next! {
            [$($then)*] $($before)*
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
        }
    };
}
