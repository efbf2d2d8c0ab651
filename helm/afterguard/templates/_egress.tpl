{{/* Rules of egress: where the worker must get to, by the addresses in the values. */}}

{{/* Port of an address such as redis://host:6379/0: {address, default}. */}}
{{- define "afterguard.portOf" -}}
{{- $host := regexReplaceAll "/.*$" (regexReplaceAll "^[^:/]+://" .address "") "" -}}
{{- $port := regexFind ":[0-9]+$" $host -}}
{{- $default := .default -}}
{{- if and (hasPrefix "https://" .address) -}}{{- $default = 443 -}}{{- end -}}
{{- if $port -}}{{- trimPrefix ":" $port -}}{{- else -}}{{- $default -}}{{- end -}}
{{- end -}}

{{/* One rule over TCP: {to, ports}. */}}
{{- define "afterguard.egressRule" }}
- ports:
    {{- range uniq .ports }}
    - {protocol: TCP, port: {{ int . }}}
    {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "afterguard.kafkaPorts" -}}
{{- $ports := list -}}
{{- range splitList "," .Values.kafka.bootstrapServers -}}
{{- $ports = append $ports (int (include "afterguard.portOf" (dict "address" (trim .) "default" 9092))) -}}
{{- end -}}
{{- range .Values.networkPolicy.kafkaPorts -}}{{- $ports = append $ports (int .) -}}{{- end -}}
{{- toYaml $ports -}}
{{- end -}}

{{- define "afterguard.egress" -}}
{{- $policy := .Values.networkPolicy -}}
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- include "afterguard.egressRule" (dict "to" $policy.kafkaTo "ports" (include "afterguard.kafkaPorts" . | fromYamlArray)) }}
{{- $config := include "afterguard.config" . | fromYaml -}}
{{- $redis := dig "redis" "url" "" $config -}}
{{- if or $redis .Values.redis.urlKey -}}
{{- include "afterguard.egressRule" (dict "to" $policy.redisTo "ports" (list (include "afterguard.portOf" (dict "address" $redis "default" $policy.redisPort)))) }}
{{- end -}}
{{- if eq .Values.engine.kind "openai" -}}
{{- $address := dig "engine" "base_url" "" $config -}}
{{- include "afterguard.egressRule" (dict "to" $policy.engineTo "ports" (list (include "afterguard.portOf" (dict "address" $address "default" 80)))) }}
{{- end -}}
{{- if eq true (dig "tracing" "enabled" false $config) -}}
{{- $address := default "" (dig "tracing" "endpoint" "" $config) -}}
{{- include "afterguard.egressRule" (dict "to" $policy.tracesTo "ports" (list (include "afterguard.portOf" (dict "address" $address "default" 4318)))) }}
{{- end -}}
{{- if $policy.modelHub -}}
{{- include "afterguard.egressRule" (dict "to" list "ports" (list 443)) }}
{{- end -}}
{{- with $policy.extraEgress }}
{{ toYaml . }}
{{- end -}}
{{- end -}}
