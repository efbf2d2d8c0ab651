{{/*
What is refused, and why: each check prints one line for each fault, all are told at once.

`afterguard.checked` is called by the Deployment alone.
*/}}
{{- define "afterguard.checked" -}}
{{- $faults := list -}}
{{- range $check := list "kafka" -}}
{{- range splitList "\n" (include (printf "afterguard.check.%s" $check) $) -}}
{{- with trim . -}}{{- $faults = append $faults . -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- if $faults -}}
{{- fail (printf "\n\n%s\n" (join "\n" $faults)) -}}
{{- end -}}
{{- end -}}

{{- define "afterguard.check.kafka" -}}
{{- if not .Values.kafka.bootstrapServers }}
kafka.bootstrapServers is needed: host:port of your brokers, such as --set kafka.bootstrapServers=kafka-1:9092
{{- end }}
{{- end -}}
