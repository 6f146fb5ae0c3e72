//! The funnel: stages, moves, clocks and conditions that cannot mean what they say.

/// Hands its table on to the next room, behind what came before.
macro_rules! funnel {
    ([$next:ident $($then:ident)*] $($before:tt)*) => {
        $next! {
            [$($then)*] $($before)*
            ConditionSyntax "condition-syntax" Error {
                title: "Not a condition",
                why: "Baton could not tell which people are meant.",
                fix: "Write tests such as `country = 'DE'`, joined by `and` or `or`.",
                wrong: "[lifecycle.disqualification]\nreasons = [\"exhausted\", \"abroad\"]\nrules = [{ if = \"country in 'US', 'CA'\", reason = \"abroad\" }]\n",
                right: "[lifecycle.disqualification]\nreasons = [\"exhausted\", \"abroad\"]\nrules = [{ if = \"country in ('US', 'CA')\", reason = \"abroad\" }]\n",
            }
            ConditionTest "condition-test" Error {
                title: "A test that this kind of field cannot answer",
                why: "The condition would never hold, or always.",
                fix: "Compare numbers and dates by >= and <=, dates by `within`, truth values by their name alone, others by = and in.",
                wrong: "[lifecycle.disqualification]\nreasons = [\"exhausted\", \"abroad\"]\nrules = [{ if = \"country >= 'US'\", reason = \"abroad\" }]\n",
                right: "[lifecycle.disqualification]\nreasons = [\"exhausted\", \"abroad\"]\nrules = [{ if = \"country = 'US'\", reason = \"abroad\" }]\n",
            }
            ConditionValue "condition-value" Error {
                title: "A value that the field can never have",
                why: "The condition would never hold, or always.",
                fix: "Compare with a value of the field.",
                wrong: "[lifecycle.disqualification]\nreasons = [\"exhausted\", \"finished\"]\nrules = [{ if = \"status = 'doen'\", reason = \"finished\" }]\n",
                right: "[lifecycle.disqualification]\nreasons = [\"exhausted\", \"finished\"]\nrules = [{ if = \"status = 'done'\", reason = \"finished\" }]\n",
            }
            StagesTwice "stages-twice" Error {
                title: "Stages are listed beside the funnel's",
                why: "Rules that differ along the funnel would go by one order, people by another.",
                fix: "Remove `[stages]`: the ranks in `[lifecycle.stages]` are the order.",
                wrong: "[stages]\norder = [\"new\", \"nurture\", \"mql\"]\n\n[lifecycle.recipients]\nsdr_lead = \"the lead of sales development\"\n",
                right: "[lifecycle.recipients]\nsdr_lead = \"the lead of sales development\"\n",
            }
            StagePartMissing "stage-part-missing" Error {
                title: "No stage plays a part that Baton needs",
                why: "There would be no stage to go to for whoever is ready, comes back or leaves.",
                fix: "Give one of the stages that `part`.",
                wrong: "[lifecycle.stages.customer]\nrank = 90\nphase = \"ended\"\nowner = \"sales\"\nclaimed_by = [\"crm\"]\n",
                right: "[lifecycle.stages.customer]\nrank = 90\npart = \"customer\"\nphase = \"ended\"\nowner = \"sales\"\n",
            }
            StagePartTwice "stage-part-twice" Error {
                title: "Two stages play the same part",
                why: "Baton could not tell to which of the two somebody goes.",
                fix: "Leave the part to one of them.",
                wrong: "[lifecycle.stages.review]\nrank = 40\npart = \"review\"\nphase = \"worked\"\nowner = \"sales\"\nback_to = [\"recycled\"]\n\n[lifecycle.stages.demo]\nrank = 65\npart = \"review\"\nphase = \"worked\"\nowner = \"sales\"\nback_to = [\"recycled\"]\nclaimed_by = [\"crm\"]\n\n[lifecycle.systems.crm]\nstage = \"status\"\nstages = { working = \"demo\", done = \"recycled\" }\n",
                right: "[lifecycle.stages.review]\nrank = 40\npart = \"review\"\nphase = \"worked\"\nowner = \"sales\"\nback_to = [\"recycled\"]\n\n[lifecycle.stages.demo]\nrank = 65\nphase = \"worked\"\nowner = \"sales\"\nclaimed_by = [\"crm\"]\n\n[lifecycle.systems.crm]\nstage = \"status\"\nstages = { working = \"demo\", done = \"recycled\" }\n",
            }
            StagePhase "stage-phase" Error {
                title: "A stage's phase does not go with its part",
                why: "Sales would see people below the line, or marketing would write to those whom sales works on.",
                fix: "entry, nurture and recycled are `nurtured`; ready, review, accepted and opportunity `worked`; the others `ended`.",
                wrong: "[lifecycle.stages.customer]\nrank = 90\npart = \"customer\"\nphase = \"worked\"\nowner = \"sales\"\n",
                right: "[lifecycle.stages.customer]\nrank = 90\npart = \"customer\"\nphase = \"ended\"\nowner = \"sales\"\n",
            }
            StageRank "stage-rank" Error {
                title: "A stage ranks on the wrong side of another",
                why: "Forward is from a lower to a higher rank: people could not go on, or would go on where they should not.",
                fix: "Give it a rank in the order of the way: below the line, with sales, at the end.",
                wrong: "[lifecycle.stages.recycled]\nrank = 35\npart = \"recycled\"\nphase = \"nurtured\"\nowner = \"marketing\"\nclaimed_by = [\"crm\"]\n",
                right: "[lifecycle.stages.recycled]\nrank = 20\npart = \"recycled\"\nphase = \"nurtured\"\nowner = \"marketing\"\nclaimed_by = [\"crm\"]\n",
            }
            StageNeverEntered "stage-never-entered" Error {
                title: "A stage that nobody can get into",
                why: "It would stand in every report with nobody in it, and what it promises would never happen.",
                fix: "Say in `claimed_by` which system puts people there, or map a deal's stage to it.",
                wrong: "[lifecycle.stages.trial]\nrank = 65\nphase = \"worked\"\nowner = \"sales\"\n",
                right: "[lifecycle.stages.trial]\nrank = 65\nphase = \"worked\"\nowner = \"sales\"\nclaimed_by = [\"crm\"]\n\n[lifecycle.systems.crm]\nstage = \"status\"\nstages = { open = \"trial\", done = \"recycled\" }\n",
            }
            ClaimNeverMade "claim-never-made" Warning {
                title: "A system has a say in a stage and no word for it",
                why: "People who should be there by that system's word never get there.",
                fix: "Map a value to the stage in `[lifecycle.systems]`, or take the system out of `claimed_by`.",
                wrong: "[lifecycle.stages.customer]\nrank = 90\npart = \"customer\"\nphase = \"ended\"\nowner = \"sales\"\nclaimed_by = [\"crm\"]\n",
                right: "[lifecycle.stages.customer]\nrank = 90\npart = \"customer\"\nphase = \"ended\"\nowner = \"sales\"\n",
            }
            EdgeNeedless "edge-needless" Warning {
                title: "A way back that leads forward",
                why: "Forward is always allowed; a way back was meant, or the ranks are not what they should be.",
                fix: "Remove it, or look at the ranks.",
                wrong: "[lifecycle.stages.mql]\nrank = 30\npart = \"ready\"\nphase = \"worked\"\nowner = \"sales\"\nback_to = [\"recycled\", \"sal\"]\n",
                right: "[lifecycle.stages.mql]\nrank = 30\npart = \"ready\"\nphase = \"worked\"\nowner = \"sales\"\nback_to = [\"recycled\"]\n",
            }
            LoopWithoutLimit "loop-without-limit" Error {
                title: "People could go round without end",
                why: "The same person would come to sales again and again, and nobody would count.",
                fix: "Lead the way back through the stage of returns, and limit those by `most` and `window`.",
                wrong: "[lifecycle.stages.sal]\nrank = 50\npart = \"accepted\"\nphase = \"worked\"\nowner = \"sales\"\nback_to = [\"nurture\"]\n",
                right: "[lifecycle.stages.sal]\nrank = 50\npart = \"accepted\"\nphase = \"worked\"\nowner = \"sales\"\nback_to = [\"recycled\"]\n",
            }
            NoWayBack "no-way-back" Error {
                title: "People of this stage cannot be given back",
                why: "Whoever stalls there, or is not ready, would stay there for ever.",
                fix: "Add the stage of returns to `back_to`.",
                wrong: "[lifecycle.stages.sal]\nrank = 50\npart = \"accepted\"\nphase = \"worked\"\nowner = \"sales\"\nage = { after = \"60d\", reason = \"timing\" }\n",
                right: "[lifecycle.stages.sal]\nrank = 50\npart = \"accepted\"\nphase = \"worked\"\nowner = \"sales\"\nback_to = [\"recycled\"]\nage = { after = \"60d\", reason = \"timing\" }\n",
            }
            StallNotWorked "stall-not-worked" Error {
                title: "Somebody stalls where nobody works on them",
                why: "Only people whom sales works on are given back; this would never happen.",
                fix: "Remove it, or say it of a stage whose phase is `worked`.",
                wrong: "[lifecycle.stages.nurture]\nrank = 10\npart = \"nurture\"\nphase = \"nurtured\"\nowner = \"marketing\"\nage = { after = \"60d\", reason = \"timing\" }\n",
                right: "[lifecycle.stages.nurture]\nrank = 10\npart = \"nurture\"\nphase = \"nurtured\"\nowner = \"marketing\"\n",
            }
            ReasonWithoutTrack "reason-without-track" Error {
                title: "A reason to go back that leads to no nurture track",
                why: "Whoever goes back for it would hear nothing any more.",
                fix: "Add `track = …` with one of the tracks.",
                wrong: "[lifecycle.recycling.reasons.holiday]\ncool_down = \"30d\"\n",
                right: "[lifecycle.recycling.reasons.holiday]\ntrack = \"later\"\ncool_down = \"30d\"\n",
            }
            CoolDownOfOther "cool-down-of-other" Error {
                title: "An activity ends a cool-down and makes nobody ready",
                why: "Only accelerating activities can; this one would do nothing.",
                fix: "Add it to `acceleration`, or take it out.",
                wrong: "[lifecycle.ready]\ndefinition = \"1\"\nthreshold = 50\nacceleration = [\"demo_request\"]\nin_cool_down = [\"page_view\"]\nengagement = { acts = [\"page_view\"], by = [\"buyer\"] }\ntold = 3\n",
                right: "[lifecycle.ready]\ndefinition = \"1\"\nthreshold = 50\nacceleration = [\"demo_request\"]\nin_cool_down = [\"demo_request\"]\nengagement = { acts = [\"page_view\"], by = [\"buyer\"] }\ntold = 3\n",
            }
            ClockWithoutStop "clock-without-stop" Error {
                title: "A clock that nothing ends",
                why: "It would be breached for everybody, whatever sales does.",
                fix: "Add `stop = […]`: what fulfils the obligation.",
                wrong: "[lifecycle.clocks.first_touch]\nstart = [\"delivered\"]\ntarget = \"4h\"\ncalendar = \"office\"\nbreach = \"alert\"\n",
                right: "[lifecycle.clocks.first_touch]\nstart = [\"delivered\"]\nstop = [\"qualified\"]\ntarget = \"4h\"\ncalendar = \"office\"\nbreach = \"alert\"\n",
            }
            ClockStopIsStart "clock-stop-is-start" Error {
                title: "What starts a clock also ends it",
                why: "It would run on from there, or never: nobody could tell whether the obligation was met.",
                fix: "End it by something else.",
                wrong: "[lifecycle.clocks.first_touch]\nstart = [\"delivered\"]\nstop = [\"delivered\"]\ntarget = \"4h\"\ncalendar = \"office\"\nbreach = \"alert\"\n",
                right: "[lifecycle.clocks.first_touch]\nstart = [\"delivered\"]\nstop = [\"qualified\"]\ntarget = \"4h\"\ncalendar = \"office\"\nbreach = \"alert\"\n",
            }
            StepsNotRising "steps-not-rising" Error {
                title: "Reminders or escalations that are not in rising order",
                why: "A step that is due before the one before it is never taken.",
                fix: "Put them in the order in which they are due.",
                wrong: "[lifecycle.clocks.first_touch]\nstart = [\"delivered\"]\nstop = [\"qualified\"]\ntarget = \"4h\"\ncalendar = \"office\"\nreminders = [80, 50]\nbreach = \"alert\"\n",
                right: "[lifecycle.clocks.first_touch]\nstart = [\"delivered\"]\nstop = [\"qualified\"]\ntarget = \"4h\"\ncalendar = \"office\"\nreminders = [50, 80]\nbreach = \"alert\"\n",
            }
            ExactlyOne "exactly-one" Error {
                title: "Several things where only one can be meant, or none",
                why: "Baton could not tell which of them to do.",
                fix: "Keep exactly one of them.",
                wrong: "[lifecycle.clocks.first_touch]\nstart = [\"delivered\"]\nstop = [{ enters = \"sal\", leaves = \"mql\" }]\ntarget = \"4h\"\ncalendar = \"office\"\nbreach = \"alert\"\n",
                right: "[lifecycle.clocks.first_touch]\nstart = [\"delivered\"]\nstop = [{ enters = \"sal\" }, { leaves = \"mql\" }]\ntarget = \"4h\"\ncalendar = \"office\"\nbreach = \"alert\"\n",
            }
            CalendarWithoutHours "calendar-without-hours" Error {
                title: "A calendar without working hours",
                why: "A clock on it would never end.",
                fix: "Add `hours`, for example { monday = [\"09:00-17:00\"] }.",
                wrong: "[lifecycle.calendars.berlin]\nzone = \"Europe/Berlin\"\n",
                right: "[lifecycle.calendars.berlin]\nzone = \"Europe/Berlin\"\nhours = { monday = [\"09:00-17:00\"] }\n",
            }
            BadHours "bad-hours" Error {
                title: "Not working hours",
                why: "Obligations would be due at the wrong time.",
                fix: "Write two times of the day, such as \"09:00-17:00\"; \"22:00-06:00\" goes over midnight.",
                wrong: "[lifecycle.calendars.berlin]\nzone = \"Europe/Berlin\"\nhours = { monday = [\"9-17\"] }\n",
                right: "[lifecycle.calendars.berlin]\nzone = \"Europe/Berlin\"\nhours = { monday = [\"09:00-17:00\"] }\n",
            }
            BadHoliday "bad-holiday" Error {
                title: "Not a day",
                why: "The day would be a working day, and people would be reminded on their holiday.",
                fix: "Write year, month and day, such as 2026-12-25.",
                wrong: "",
                right: "",
            }
            UnknownHolidays "unknown-holidays" Error {
                title: "There is no such list of holidays",
                why: "Its days would be working days.",
                fix: "Name a file of the folder `holidays`, without its ending.",
                wrong: "[lifecycle.calendars.berlin]\nzone = \"Europe/Berlin\"\nhours = { monday = [\"09:00-17:00\"] }\nholidays = [\"germny\"]\n",
                right: "[lifecycle.calendars.berlin]\nzone = \"Europe/Berlin\"\nhours = { monday = [\"09:00-17:00\"] }\nholidays = [\"germany\"]\n",
            }
            UnknownCalendar "unknown-calendar" Error {
                title: "There is no such calendar",
                why: "Nobody could say when the obligation is due.",
                fix: "Use a calendar from `[lifecycle.calendars]`.",
                wrong: "[lifecycle.clocks.first_touch]\nstart = [\"delivered\"]\nstop = [\"qualified\"]\ntarget = \"4h\"\ncalendar = \"ofice\"\nbreach = \"alert\"\n",
                right: "[lifecycle.clocks.first_touch]\nstart = [\"delivered\"]\nstop = [\"qualified\"]\ntarget = \"4h\"\ncalendar = \"office\"\nbreach = \"alert\"\n",
            }
            UnknownReason "unknown-reason" Error {
                title: "There is no such reason",
                why: "Reports could not count it, and nobody would know where the person goes.",
                fix: "Use a reason from `[lifecycle.recycling.reasons]`, or, of a disqualification, from its `reasons`.",
                wrong: "[lifecycle.stages.sal]\nrank = 50\npart = \"accepted\"\nphase = \"worked\"\nowner = \"sales\"\nback_to = [\"recycled\"]\nage = { after = \"60d\", reason = \"timeing\" }\n",
                right: "[lifecycle.stages.sal]\nrank = 50\npart = \"accepted\"\nphase = \"worked\"\nowner = \"sales\"\nback_to = [\"recycled\"]\nage = { after = \"60d\", reason = \"timing\" }\n",
            }
            UnknownTrack "unknown-track" Error {
                title: "There is no such nurture track",
                why: "Whoever comes back would hear nothing any more.",
                fix: "Use a track from `[lifecycle.tracks]`.",
                wrong: "[lifecycle.recycling.reasons.holiday]\ntrack = \"latre\"\ncool_down = \"30d\"\n",
                right: "[lifecycle.recycling.reasons.holiday]\ntrack = \"later\"\ncool_down = \"30d\"\n",
            }
            UnknownActivity "unknown-activity" Error {
                title: "There is no such activity",
                why: "It would never count, and people who are in contact would be taken for stalled.",
                fix: "Use a kind from `[lifecycle.activities]`.",
                wrong: "[lifecycle.clocks.first_touch]\nstart = [\"delivered\"]\nstop = [{ acts = [\"cal\"], by = [\"sales\"] }]\ntarget = \"4h\"\ncalendar = \"office\"\nbreach = \"alert\"\n",
                right: "[lifecycle.clocks.first_touch]\nstart = [\"delivered\"]\nstop = [{ acts = [\"call\"], by = [\"sales\"] }]\ntarget = \"4h\"\ncalendar = \"office\"\nbreach = \"alert\"\n",
            }
            UnknownRecipient "unknown-recipient" Error {
                title: "There is no such recipient, queue or action",
                why: "Nobody would be told, or nobody would get the person.",
                fix: "Use a name from `[lifecycle.recipients]`, `[lifecycle.queues]` or `[lifecycle.actions]`.",
                wrong: "[lifecycle.clocks.first_touch]\nstart = [\"delivered\"]\nstop = [\"qualified\"]\ntarget = \"4h\"\ncalendar = \"office\"\nescalation = [{ after = \"1h\", to = \"sdr_leed\" }]\nbreach = \"alert\"\n",
                right: "[lifecycle.clocks.first_touch]\nstart = [\"delivered\"]\nstop = [\"qualified\"]\ntarget = \"4h\"\ncalendar = \"office\"\nescalation = [{ after = \"1h\", to = \"sdr_lead\" }]\nbreach = \"alert\"\n",
            }
            FunnelFieldType "funnel-field-type" Error {
                title: "A field of the wrong type for its part in the funnel",
                why: "What it holds could not be understood: points that are no number, a yes or no that is a text.",
                fix: "Name a field of the right type.",
                wrong: "[lifecycle.fields]\nscore = \"email\"\nready = \"timely\"\nwilling = \"eager\"\n",
                right: "[lifecycle.fields]\nscore = \"score\"\nready = \"timely\"\nwilling = \"eager\"\n",
            }
            FunnelFieldUnmapped "funnel-field-unmapped" Error {
                title: "A field of the funnel that no mapping carries",
                why: "It would stay blank, and what rests on it would never happen.",
                fix: "Map the field in the system's vocabulary or in systems.toml, or name another.",
                wrong: "[lifecycle.systems.map]\ntrack = \"track\"\n\n[person.fields.track]\n",
                right: "[lifecycle.systems.map]\ntrack = \"city\"\n",
            }
            SalesReadyNever "sales-ready-never" Error {
                title: "Records that are made for whoever is sales-ready, where nobody can be",
                why: "Only people walk through the funnel, and only where there is one: no record would ever be created, and nobody told.",
                fix: "Write `always` or `never`; or configure the funnel (`[lifecycle]`).",
                wrong: "[systems.crm.objects.account]\ncreate = \"sales_ready\"\n\n[lifecycle.recipients]\nsdr_lead = \"the lead of sales development\"\n",
                right: "[systems.crm.objects.account]\ncreate = \"never\"\n\n[lifecycle.recipients]\nsdr_lead = \"the lead of sales development\"\n",
            }
        }
    };
}
