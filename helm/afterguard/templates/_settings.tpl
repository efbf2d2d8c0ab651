{{/*
afterguard.yaml: `settings`, and over it what has a value of its own in the chart.

Each lifted value is told as {from, section, field, value}. `value` is absent where the value reaches
the worker by a variable; it stands here all the same, so that `settings` cannot say another one.
*/}}
{{- define "afterguard.lifted" -}}
{{- $found := list -}}
{{- $v := .Values -}}
{{- $brokers := $v.kafka.bootstrapServers -}}
{{- if $brokers -}}
{{- $found = append $found (dict "from" "kafka.bootstrapServers" "section" "kafka" "field" "bootstrap_servers" "value" $brokers) -}}
{{- end -}}
{{- with $v.kafka.groupId -}}
{{- $found = append $found (dict "from" "kafka.groupId" "section" "kafka" "field" "group_id" "value" .) -}}
{{- end -}}
{{- $found = append $found (dict "from" "kafka.securityProtocol" "section" "kafka" "field" "security_protocol" "value" (lower $v.kafka.securityProtocol)) -}}
{{- with $v.kafka.sasl -}}
{{- if .mechanism -}}
{{- $found = append $found (dict "from" "kafka.sasl.mechanism" "section" "kafka" "field" "sasl_mechanism" "value" .mechanism) -}}
{{- end -}}
{{- if .username -}}
{{- $found = append $found (dict "from" "kafka.sasl.username" "section" "kafka" "field" "sasl_username" "value" .username) -}}
{{- else if and .existingSecret .usernameKey -}}
{{- $found = append $found (dict "from" "kafka.sasl.usernameKey" "section" "kafka" "field" "sasl_username") -}}
{{- end -}}
{{- if .tokenProvider -}}
{{- $found = append $found (dict "from" "kafka.sasl.tokenProvider" "section" "kafka" "field" "sasl_token_provider" "value" .tokenProvider) -}}
{{- end -}}
{{- end -}}
{{- range $field, $name := dict "events" "events" "interventions" "interventions" "audit" "audit" "dead_letters" "deadLetters" -}}
{{- with index $v.topics $name -}}
{{- $found = append $found (dict "from" (printf "topics.%s" $name) "section" "topics" "field" $field "value" .) -}}
{{- end -}}
{{- end -}}
{{- $found = append $found (dict "from" "engine.kind" "section" "engine" "field" "kind" "value" $v.engine.kind) -}}
{{- with $v.engine.baseUrl -}}
{{- $found = append $found (dict "from" "engine.baseUrl" "section" "engine" "field" "base_url" "value" .) -}}
{{- end -}}
{{- with $v.model.name -}}
{{- $found = append $found (dict "from" "model.name" "section" "engine" "field" "model" "value" .) -}}
{{- end -}}
{{- if or $v.policies.files $v.policies.existingConfigMap -}}
{{- $from := ternary "policies.files" "policies.existingConfigMap" (not (empty $v.policies.files)) -}}
{{- $found = append $found (dict "from" $from "section" "policies" "field" "directory" "value" "/etc/afterguard/policies") -}}
{{- end -}}
{{- with $v.policies.only -}}
{{- $found = append $found (dict "from" "policies.only" "section" "policies" "field" "only" "value" .) -}}
{{- end -}}
{{- if and $v.redis.existingSecret $v.redis.urlKey -}}
{{- $found = append $found (dict "from" "redis.urlKey" "section" "redis" "field" "url") -}}
{{- else if $v.redis.url -}}
{{- $found = append $found (dict "from" "redis.url" "section" "redis" "field" "url" "value" $v.redis.url) -}}
{{- end -}}
{{- with $v.redis.username -}}
{{- $found = append $found (dict "from" "redis.username" "section" "redis" "field" "username" "value" .) -}}
{{- end -}}
{{- $found = append $found (dict "from" "http.port" "section" "http" "field" "port" "value" (int $v.http.port)) -}}
{{- $found = append $found (dict "from" "http.host" "section" "http" "field" "host" "value" $v.http.host) -}}
{{- $found = append $found (dict "from" "the probes" "section" "http" "field" "enabled" "value" true) -}}
{{- range include "afterguard.secretFiles" . | fromYamlArray -}}
{{- $found = append $found (dict "from" .from "section" .room "field" .field "value" (printf "/etc/afterguard/%s/%s" .room .file)) -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{/* The whole of afterguard.yaml. */}}
{{- define "afterguard.config" -}}
{{- $config := dict -}}
{{- range $section, $fields := .Values.settings -}}
{{- if kindIs "map" $fields -}}
{{- $_ := set $config $section (deepCopy $fields) -}}
{{- end -}}
{{- end -}}
{{- range include "afterguard.lifted" . | fromYamlArray -}}
{{- if hasKey . "value" -}}
{{- $fields := default dict (get $config .section) -}}
{{- $_ := set $fields .field .value -}}
{{- $_ := set $config .section $fields -}}
{{- end -}}
{{- end -}}
{{- $gpus := int (include "afterguard.gpuCount" .) -}}
{{- if gt $gpus 1 -}}
{{- $engine := get $config "engine" -}}
{{- $args := default dict $engine.args -}}
{{- if not (or (hasKey $args "tensor_parallel_size") (hasKey $args "pipeline_parallel_size") (hasKey $args "data_parallel_size")) -}}
{{- $_ := set $args "tensor_parallel_size" $gpus -}}
{{- $_ := set $engine "args" $args -}}
{{- end -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}
