// Head rules, tail policies and records over HTTP, for `fluoro rules`, `fluoro records` and the web
// UI.
#pragma once

#include "control/repository.h"
#include "net/http.h"

namespace fluoro::api::ui {

/// {"SamplingRules":[...],"TailPolicies":[...]}: a file that PutRules takes. docs/sampling.md.
net::HttpResponse ListRules(control::Repository& control);
/// Such a file. Each head rule is made or replaced by its name, others stay; tail policies are
/// replaced as a whole if the file has that member. All or nothing. {"sampling_rules": n,
/// "tail_policies": n or null}. 400, 413.
net::HttpResponse PutRules(control::Repository& control, const net::HttpRequest& request);
/// DELETE .../rules/NAME. {"deleted": NAME}. 400 (Default), 404.
net::HttpResponse DeleteRule(control::Repository& control, const net::HttpRequest& request);

/// {"TailPolicies":[...]}.
net::HttpResponse ListTailPolicies(control::Repository& control);
/// The same, instead of those that stand. {"tail_policies": n}. 400, 413.
net::HttpResponse PutTailPolicies(control::Repository& control, const net::HttpRequest& request);
/// DELETE .../tail-policies/NAME. {"deleted": NAME}. 404.
net::HttpResponse DeleteTailPolicy(control::Repository& control, const net::HttpRequest& request);

/// ?kind=K, several times or not at all: control::ExportRecords.
net::HttpResponse ExportRecords(control::Repository& control, const net::HttpRequest& request);
/// What ExportRecords gave, of sampling rules, groups, tags, tail policies and settings; records of
/// other kinds are refused. {"changed": n}. 400.
net::HttpResponse ImportRecords(control::Repository& control, const net::HttpRequest& request);
/// ?kind=K&limit=N (100, at most 10,000): the newest changes first, one JSON object a line:
/// {"at_ns","who","kind","name","revision","before","after"}; before and after are objects or null.
net::HttpResponse Audit(control::Repository& control, const net::HttpRequest& request);

}  // namespace fluoro::api::ui
