{{/* Checks of the engine, its GPUs and its model. */}}

{{- define "afterguard.check.engine" -}}
{{- $engine := .Values.engine -}}
{{- $url := default $engine.baseUrl (include "afterguard.setting" (dict "root" . "section" "engine" "field" "base_url")) -}}
{{- if eq $engine.kind "openai" }}
{{- if not $url }}
engine.baseUrl is needed when engine.kind is openai, such as http://vllm:8000/v1
{{- end }}
{{- else }}
{{- if $url }}
engine.baseUrl has no meaning while engine.kind is {{ $engine.kind }}: set that to openai
{{- end }}
{{- if $engine.existingSecret }}
engine.existingSecret has no meaning while engine.kind is {{ $engine.kind }}: it is the token of a server
{{- end }}
{{- end }}
{{- end -}}

{{- define "afterguard.check.gpus" -}}
{{- $kind := .Values.engine.kind -}}
{{- $gpus := int (include "afterguard.gpuCount" .) -}}
{{- $own := or .Values.image.tag .Values.image.digest -}}
{{- if ne $kind "vllm" }}
{{- if gt $gpus 0 }}
gpu.count is {{ $gpus }} while engine.kind is {{ $kind }}: the GPU would lie idle; leave gpu.count out
{{- end }}
{{- else }}
{{- if and (eq $gpus 0) (or (not $own) (hasSuffix "-gpu" .Values.image.tag)) }}
gpu.count is 0 while engine.kind is vllm: the model runs in the worker and needs a GPU; or set engine.kind to openai, or for trials image.tag to {{ .Chart.AppVersion }}-cpu-vllm
{{- end }}
{{- if and (hasSuffix "-cpu" .Values.image.tag) (not .Values.image.digest) }}
image.tag {{ .Values.image.tag }} has no engine inside while engine.kind is vllm: leave the tag out, or set engine.kind to openai
{{- end }}
{{- $config := include "afterguard.config" . | fromYaml -}}
{{- $tensor := int (dig "engine" "args" "tensor_parallel_size" 1 $config) -}}
{{- $pipeline := int (dig "engine" "args" "pipeline_parallel_size" 1 $config) -}}
{{- $data := int (dig "engine" "args" "data_parallel_size" 1 $config) -}}
{{- $wanted := mul $tensor $pipeline $data -}}
{{- if and (gt $gpus 0) (ne (int $wanted) $gpus) }}
gpu.count is {{ $gpus }} while settings.engine.args asks for {{ $wanted }} (tensor_parallel_size times pipeline_parallel_size times data_parallel_size): make both equal
{{- end }}
{{- end }}
{{- range $half := list "requests" "limits" }}
{{- if hasKey (default dict (get $.Values.resources $half)) $.Values.gpu.resourceName }}
resources.{{ $half }} names {{ $.Values.gpu.resourceName }}: GPUs are asked for by gpu.count, in both halves
{{- end }}
{{- end }}
{{- end -}}

{{- define "afterguard.check.model" -}}
{{- $model := .Values.model -}}
{{- $cache := $model.cache -}}
{{- if eq .Values.engine.kind "vllm" }}
{{- if and $model.offline (not $model.baked) (eq $cache.type "emptyDir") }}
model.offline is set and the model is nowhere: set model.cache.type to existingClaim, or model.baked when the image holds it
{{- end }}
{{- if and (eq $cache.type "existingClaim") (not $cache.existingClaim) }}
model.cache.type is existingClaim: name the claim in model.cache.existingClaim
{{- end }}
{{- if and $cache.existingClaim (ne $cache.type "existingClaim") }}
model.cache.existingClaim is set while model.cache.type is {{ $cache.type }}: set that to existingClaim
{{- end }}
{{- if and $model.baked (ne $cache.type "emptyDir") }}
model.baked is set while model.cache.type is {{ $cache.type }}: the model is in one place, the image or the claim
{{- end }}
{{- if and $model.baked (or (not (hasPrefix "/" $model.name)) (regexMatch "^/(cache|tmp)(/|$)" $model.name)) }}
model.baked is set and model.name is {{ $model.name }}: give the folder in the image, outside /cache and /tmp, which are empty volumes
{{- end }}
{{- if and (hasPrefix "/" $model.name) (not $model.baked) }}
{{- $held := and (ne $cache.type "emptyDir") (or (eq $model.name $cache.mountPath) (hasPrefix (printf "%s/" $cache.mountPath) $model.name)) }}
{{- range .Values.extraVolumeMounts }}
{{- if or (eq $model.name .mountPath) (hasPrefix (printf "%s/" .mountPath) $model.name) }}{{ $held = true }}{{ end }}
{{- end }}
{{- if not $held }}
model.name {{ $model.name }} is a folder and nothing is mounted there: set model.cache.mountPath to it or above it, or model.baked when the image holds it
{{- end }}
{{- end }}
{{- if and (eq $cache.type "newClaim") (include "afterguard.severalWorkers" .) (not (has "ReadWriteMany" $cache.accessModes)) }}
model.cache is a new claim of {{ join ", " $cache.accessModes }} for more than one worker: set model.cache.accessModes to [ReadWriteMany], or the type to emptyDir
{{- end }}
{{- if and (eq $cache.type "newClaim") (eq .Values.strategy.type "RollingUpdate") (not (regexMatch "^0%?$" (toString .Values.strategy.maxSurge))) (not (has "ReadWriteMany" $cache.accessModes)) }}
strategy.maxSurge starts a worker beside the old one, and model.cache is a new claim of {{ join ", " $cache.accessModes }}: set maxSurge to 0, or model.cache.accessModes to [ReadWriteMany]
{{- end }}
{{- end }}
{{- end -}}

{{- define "afterguard.check.hub" -}}
{{- $policy := .Values.networkPolicy -}}
{{- if and $policy.enabled (eq .Values.engine.kind "vllm") (not $policy.modelHub) (not .Values.model.baked) (not (include "afterguard.offline" .)) (not (hasPrefix "/" .Values.model.name)) }}
networkPolicy.enabled keeps the worker from downloading its model: set networkPolicy.modelHub, or model.offline with a cache that holds it
{{- end }}
{{- end -}}
