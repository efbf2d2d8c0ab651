{{/*
What is refused, and why: each check prints one line for each fault, and all are told at once.

The Deployment calls `afterguard.checked`. A new check is a template `afterguard.check.<name>`,
listed here.
*/}}
{{- define "afterguard.checked" -}}
{{- $checks := list "kafka" "sasl" "redis" "settings" "secrets" "policies" -}}
{{- $checks = concat $checks (list "engine" "gpus" "model" "hub") -}}
{{- $checks = concat $checks (list "replicas" "grace" "start" "rollout" "disruptions" "image" "rights") -}}
{{- $checks = concat $checks (list "variables" "mounts" "ports" "labels" "keda" "monitoring") -}}
{{- $faults := list -}}
{{- range $check := $checks -}}
{{- range splitList "\n" (include (printf "afterguard.check.%s" $check) $) -}}
{{- with trim . -}}{{- $faults = append $faults . -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- if $faults -}}
{{- fail (printf "\n\n%s\n" (join "\n" $faults)) -}}
{{- end -}}
{{- end -}}

{{/* `settings` may say again what a value of the chart says, and nothing else of it. */}}
{{- define "afterguard.check.settings" -}}
{{- range $section, $fields := .Values.settings }}
{{- if not (or (kindIs "map" $fields) (kindIs "invalid" $fields)) }}
settings.{{ $section }} must be a section of fields, such as `settings: {judging: {attempts: 4}}`
{{- end }}
{{- end }}
{{- range include "afterguard.lifted" . | fromYamlArray -}}
{{- $fields := index $.Values.settings .section -}}
{{- if and (kindIs "map" $fields) (hasKey (default dict $fields) .field) -}}
{{- $said := get $fields .field -}}
{{- if not (hasKey . "value") }}
settings.{{ .section }}.{{ .field }} and {{ .from }} say different things: leave it out of `settings`
{{- else if ne (toJson $said) (toJson .value) }}
settings.{{ .section }}.{{ .field }} ({{ toJson $said }}) and {{ .from }} ({{ toJson .value }}) say different things: leave it out of `settings`
{{- end }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A ConfigMap is read by many: nothing secret may reach it. */}}
{{- define "afterguard.check.secrets" -}}
{{- $where := dict "kafka.sasl_password" "kafka.sasl.existingSecret" "kafka.ssl_key_password" "kafka.tls.keyPasswordKey" "redis.password" "redis.existingSecret" "redis.ssl_key_password" "a volume of yours (extraVolumes) and settings.redis.ssl_key_password_file" "engine.api_key" "engine.existingSecret" -}}
{{- range $name, $place := $where -}}
{{- $parts := splitn "." 2 $name -}}
{{- $fields := index $.Values.settings $parts._0 -}}
{{- if and (kindIs "map" $fields) (hasKey (default dict $fields) $parts._1) }}
settings.{{ $name }} is a secret, and `settings` becomes a ConfigMap: put it into a Secret and name that in {{ $place }}
{{- end }}
{{- end -}}
{{- $settings := .Values.settings -}}
{{- $addresses := dict "redis.url" .Values.redis.url "engine.baseUrl" .Values.engine.baseUrl -}}
{{- range $section, $field := dict "redis" "url" "engine" "base_url" -}}
{{- $fields := index $settings $section -}}
{{- if kindIs "map" $fields -}}
{{- $_ := set $addresses (printf "settings.%s.%s" $section $field) (get $fields $field) -}}
{{- end -}}
{{- end -}}
{{- range $name, $address := $addresses -}}
{{- if regexMatch "://[^/@]*:[^/@]+@" (toString $address) }}
{{ $name }} holds a password, and it becomes a ConfigMap: leave it out there and name a Secret ({{ ternary "redis.existingSecret, with redis.urlKey for a whole address" "engine.existingSecret" (contains "redis" $name) }})
{{- end }}
{{- end -}}
{{- $engine := index $settings "engine" -}}
{{- if kindIs "map" $engine -}}
{{- if and (kindIs "map" $engine.args) (hasKey (default dict $engine.args) "hf_token") }}
settings.engine.args.hf_token is a secret, and `settings` becomes a ConfigMap: put it into a Secret and name that in model.hubToken.existingSecret
{{- end }}
{{- end -}}
{{- end -}}
