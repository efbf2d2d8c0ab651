{{/* What both kinds of monitor say of an endpoint: given the values of one. */}}
{{- define "afterguard.scraping" -}}
{{- range $name := list "interval" "scrapeTimeout" -}}
{{- with index $ $name }}
{{ $name }}: {{ . }}
{{- end }}
{{- end -}}
{{- range $name := list "relabelings" "metricRelabelings" -}}
{{- with index $ $name }}
{{ $name }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* The rules as they stand in files/alerts.yaml, a copy of deploy/prometheus/alerts.yaml. */}}
{{- define "afterguard.alertFile" -}}
{{- $text := .Files.Get "files/alerts.yaml" -}}
{{- if not $text }}{{ fail "files/alerts.yaml is missing in this chart: `make chart-files` copies it" }}{{ end -}}
{{- $text -}}
{{- end -}}

{{/* The group whose numbers are somebody's choice; a rule is named by its record, and its lane. */}}
{{- define "afterguard.objectiveName" -}}
{{- .record }}{{ with .labels }}{{ with .lane }}/{{ . }}{{ end }}{{ end -}}
{{- end -}}

{{/* The groups with what the values change of them. */}}
{{- define "afterguard.alertGroups" -}}
{{- $wanted := .Values.monitoring.prometheusRule -}}
{{- $groups := list -}}
{{- range $group := (include "afterguard.alertFile" . | fromYaml).groups -}}
{{- $rules := list -}}
{{- range $rule := $group.rules -}}
{{- if $rule.alert -}}
{{- $change := default dict (get $wanted.alerts $rule.alert) -}}
{{- $labels := merge (dict) (default dict $rule.labels) -}}
{{- $labels = mergeOverwrite $labels (deepCopy $wanted.additionalRuleLabels) -}}
{{- with $change.severity }}{{ $_ := set $labels "severity" . }}{{ end -}}
{{- $annotations := mergeOverwrite (default dict $rule.annotations) (deepCopy $wanted.additionalRuleAnnotations) -}}
{{- if $wanted.runbookUrl -}}
{{- $_ := set $annotations "runbook_url" (printf "%s/%s" $wanted.runbookUrl (base $rule.annotations.runbook_url)) -}}
{{- end -}}
{{- $_ := set $rule "labels" $labels -}}
{{- $_ := set $rule "annotations" $annotations -}}
{{- with get $change "for" }}{{ $_ := set $rule "for" . }}{{ end -}}
{{- if dig "enabled" true $change }}{{ $rules = append $rules $rule }}{{ end -}}
{{- else -}}
{{- $name := include "afterguard.objectiveName" $rule -}}
{{- if and (eq $group.name "afterguard.objectives") (hasKey $wanted.objectives $name) -}}
{{- $_ := set $rule "expr" (printf "vector(%s)" (get $wanted.objectives $name | toString)) -}}
{{- end -}}
{{- $rules = append $rules $rule -}}
{{- end -}}
{{- end -}}
{{- if $rules -}}
{{- $groups = append $groups (set $group "rules" $rules) -}}
{{- end -}}
{{- end -}}
{{- toYaml (concat $groups $wanted.extraGroups) -}}
{{- end -}}

{{- define "afterguard.check.monitoring" -}}
{{- $monitoring := .Values.monitoring -}}
{{- if and $monitoring.podMonitor.enabled $monitoring.serviceMonitor.enabled }}
monitoring.podMonitor and monitoring.serviceMonitor are both enabled: every worker would be read twice, and every sum doubled
{{- end }}
{{- with $monitoring.prometheusRule }}
{{- if .enabled }}
{{- $alerts := list -}}
{{- $objectives := list -}}
{{- range $group := (include "afterguard.alertFile" $ | fromYaml).groups -}}
{{- range $rule := $group.rules -}}
{{- if $rule.alert }}{{ $alerts = append $alerts $rule.alert }}{{ end -}}
{{- if and $rule.record (eq $group.name "afterguard.objectives") (hasPrefix "vector(" $rule.expr) -}}
{{- $objectives = append $objectives (include "afterguard.objectiveName" $rule) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $_ := .alerts }}
{{- if not (has $name $alerts) }}
monitoring.prometheusRule.alerts: there is no alert {{ $name }}. There are {{ join ", " $alerts }}
{{- end }}
{{- end }}
{{- range $name, $_ := .objectives }}
{{- if not (has $name $objectives) }}
monitoring.prometheusRule.objectives: there is no {{ $name }}. There are {{ join ", " $objectives }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
