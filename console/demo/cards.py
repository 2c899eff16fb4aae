"""The system cards of the demonstration. Nothing in them was measured."""

from typing import Any

from console.demo.stream import MOST, POSITIONS

_CREDIT: dict[str, Any] = {
    "purpose": {
        "capabilities": "Scores an application for a higher credit card limit, and approves it from a threshold "
        "upwards, in less than a second. Names the reasons that weighed most.",
        "intended": "Decides applications of existing customers for a higher limit, up to 10,000, asked for in a "
        "branch or in the app.",
        "users": "Branch staff see the outcome and its reasons; the credit duty desk overrides.",
        "affected": "Existing customers who apply for a higher limit. A refusal is adverse for them.",
        "out_of_scope": "New customers, businesses, mortgages, overdrafts. Lowering a limit.",
        "misuse": "Taking the score for a rating of the person, or asking again until it approves.",
        "limitations": "Trained on three years of applications: it knows no other market than ours, and little of "
        "customers with irregular income. Incomes far from those it was trained on are outside its scope.",
        "failures": "Near the threshold small changes of the input turn the outcome: such cases are held for a person. "
        "When the feature store is away it decides nothing and reports an error.",
    },
    "performance": {
        "results": [
            {
                "metric": "AUC", "value": 0.81, "direction": "at_least", "threshold": 0.78,
                "test": "Validation report 12", "dataset": "Holdout, 3rd quarter", "tested_on": "2026-10-12",
                "signatory": "Model validation",
            },
            {
                "metric": "Default rate of approved", "value": 0.021, "direction": "at_most", "threshold": 0.025,
                "test": "Validation report 12", "dataset": "Holdout, 3rd quarter", "tested_on": "2026-10-12",
                "signatory": "Model validation",
            },
            {
                "metric": "Ratio of approval rates", "value": 0.86, "direction": "at_least", "threshold": 0.8,
                "test": "Fairness report 4", "dataset": "Applications of a year", "tested_on": "2026-10-20",
                "signatory": "Model validation", "group": "Under 30 against all others",
            },
            {
                "metric": "Calibration error", "value": 0.034, "direction": "at_most", "threshold": 0.03,
                "accepted_because": "Close calls are held for a person, so that a score a little off decides nothing.",
                "test": "Validation report 12", "dataset": "Holdout, 3rd quarter", "tested_on": "2026-10-12",
                "signatory": "Model validation",
            },
        ],
        "why": "Ranking decides who is approved; the default rate is what the bank carries.",
    },
    "oversight": {
        "measures": "Close calls are held until a reviewer decides. Any decision can be overridden by the duty desk.",
        "override": "From the decision's page, with a reason; a second reviewer where the rule asks for one.",
        "stop": "The switch “credit-limits”. Applications then wait in the branch queue; limits stay as they are.",
        "drills": "Each quarter.",
        "competence": "Reviewers are credit officers with two years' practice and the yearly course.",
    },
    "data": {
        "sources": "Applications of the last three years with what came of them; card platform; no data bought in.",
        "preparation": "Applications withdrawn by the customer are left out. Amounts at prices of this year.",
        "bias": "Approval rates by age and sex compared; see the fairness report.",
        "gaps": "Few customers abroad, few students.",
    },
    "contacts": {
        "people": [
            {"desk": "Credit models", "for_what": "The model and this card", "reached_by": "credit-models@example.org"},
            {"desk": "Credit duty desk", "for_what": "A decision, a stop", "reached_by": "duty-desk@example.org"},
        ]
    },
    "identity": {
        "name": "Credit limit decisions", "release": "limits-gbm-4.1 and limits-gbm-4.2", "provider": "In-house",
    },
    "classification": {
        "annex_iii": "5", "rationale": "Evaluates the creditworthiness of natural persons.", "profiling": True,
        "jurisdictions": ["Austria"],
    },
    "build": {
        "models": [{"name": "Gradient boosting", "version": "limits-gbm-4.2", "supplier": "In-house"}],
        "logic": "Maximises the area under the curve; the threshold is set by people.",
    },
    "explanation": {
        "method": "SHAP values of the five features; the strongest is named in words.",
        "contest": "At any branch or by telephone; an officer who had no part in it decides anew.",
    },
    "inputs": {
        "specification": "Five numbers, see the rules. Amounts in EUR.",
        "rules": [
            {"pointer": "/income", "check": "range", "minimum": 15_000, "maximum": 90_000, "required": True},
            {"pointer": "/requested_limit", "check": "range", "minimum": 500, "maximum": int(MOST), "required": True},
            {"pointer": "/customer_for_years", "check": "range", "minimum": 1, "required": True},
        ],
    },
    "risk": {
        "register": [
            {"risk": "Refused for data that are wrong", "level": "medium", "measure": "Contest, override",
             "accepted_by": "Head of consumer credit"},
            {"risk": "Unequal treatment of a group", "level": "low", "measure": "Fairness report each quarter",
             "accepted_by": "Head of consumer credit"},
        ]
    },
    "monitoring": {"plan": "Volume, outcomes and overrides daily; fairness each quarter.",
                   "incident_contact": "Credit duty desk"},
    "logging": {"events": "Every decision with input, output and reasons.", "retention": "10 years"},
    "review": {"next_on": "2027-04-01"},
}  # fmt: skip
_TRIAGE: dict[str, Any] = {
    "purpose": {
        "capabilities": "Sorts applications by how well they meet the requirements of a position.",
        "intended": "Sorts incoming applications into shortlist, recruiter review and decline proposals.",
        "affected": "Applicants.",
        "out_of_scope": "Declining anybody without a recruiter; promotions; positions that are not listed.",
        "limitations": "Reads certificates in English and German. Careers with long gaps are ranked too low.",
        "failures": "Overlooks requirements that are met in unusual words. Recruiters see the score and can reopen.",
    },
    "performance": {
        "results": [
            {
                "metric": "Agreement with recruiters", "value": 0.88, "direction": "at_least", "threshold": 0.85,
                "test": "Pilot report", "dataset": "Applications of spring", "tested_on": "2026-09-30",
                "signatory": "Recruiting operations",
            }
        ]
    },
    "oversight": {"measures": "A recruiter confirms every decline. A fifth of the declines is looked at blind."},
    "data": {"sources": "Applications and recruiters' decisions of two years; a licensed language model."},
    "contacts": {"people": [{"desk": "Recruiting operations", "reached_by": "recruiting@example.org"}]},
    "classification": {"annex_iii": "4", "rationale": "Filters applications for employment."},
    "inputs": {"rules": [{"pointer": "/position", "check": "one_of", "values": [*POSITIONS], "required": True}]},
}  # fmt: skip
_DRAFTS: dict[str, Any] = {
    "purpose": {
        "capabilities": "Drafts an answer from the help pages and names the page it used.",
        "intended": "Drafts answers to customers' questions; an agent sends them.",
        "affected": "Customers who write.",
        "out_of_scope": "Answers that are sent without an agent; legal advice.",
        "limitations": "Knows the help pages alone. Weak on questions that name several orders.",
        "failures": "Cites a page that comes near and does not answer: the similarity is shown.",
    },
    "performance": {
        "results": [
            {
                "metric": "Drafts sent unchanged", "value": 0.64, "direction": "at_least", "threshold": 0.6,
                "test": "Month of shadowing", "dataset": "Questions of September", "tested_on": "2026-10-02",
                "signatory": "Support shift lead",
            }
        ]
    },
    "oversight": {"measures": "An agent reads every draft before it is sent."},
    "data": {"sources": "The help pages; a hosted language model that learns nothing from us."},
    "contacts": {"people": [{"desk": "Support shift lead", "reached_by": "support-lead@example.org"}]},
}  # fmt: skip
CARDS = {"credit-limits": _CREDIT, "cv-triage": _TRIAGE, "support-drafts": _DRAFTS}
